"""How much each branch uses over time: sizes as byte-hours, computes as seconds times their units.

A look at a branch holds until the next one, about a minute later. When the clock is moved, what is skipped is filled
with the sizes of its beginning. Hours are folded into days once they are too old to be asked for by the hour.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from neon_sandbox.entities import Branch, Endpoint, Meter, Project, Usage
from neon_sandbox.plane import Plane

LOOK_EVERY = timedelta(seconds=60)
HOURLY_FOR = timedelta(days=8)
KEPT_FOR = timedelta(days=400)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_SUMS = tuple(field.name for field in fields(Usage) if field.type == "float")


@dataclass(frozen=True)
class ProjectUsage:
    """Of the billing period; `period_start` None: nothing was metered yet."""

    period_start: datetime | None
    byte_hours: int
    active_seconds: int
    compute_unit_seconds: int
    size_bytes: int


def usage(plane: Plane, project: Project) -> ProjectUsage:
    own = plane.store.get(Meter, project.id)
    meters = plane.store.find_by(Meter, "project_id", project.id)
    return ProjectUsage(
        period_start=own.period_start if own else None,
        byte_hours=round(own.period_byte_hours) if own else 0,
        active_seconds=round(own.period_active_seconds) if own else 0,
        compute_unit_seconds=round(own.period_compute_unit_seconds) if own else 0,
        size_bytes=sum(meter.root_bytes + meter.child_bytes + meter.history_bytes for meter in meters),
    )


class Metering:
    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._lock = threading.Lock()
        self._read_at: datetime | None = None
        self._folded_at: datetime | None = None

    def read_when_due(self) -> None:
        lag = timedelta(seconds=self._plane.settings.consumption_lag_seconds)
        now = self._plane.clock.now()
        if self._read_at is None or now - self._read_at >= max(LOOK_EVERY, lag):
            self.read()

    def read(self) -> None:
        """Counts everything up to now."""
        with self._lock:
            now = self._plane.clock.now()
            for project in self._plane.store.find(Project):
                looks = [self._look(project, branch, now) for branch in self._plane.branches(project.id)]
                self._count(project, [look for look in looks if look is not None], now)
            self._read_at = now
            if self._folded_at is None or now - self._folded_at >= DAY:
                self._fold(now)
                self._folded_at = now

    def _look(self, project: Project, branch: Branch, now: datetime) -> Meter | None:
        """A branch as large as it is now, with the totals still to come; None while it has no data."""
        if branch.current_state not in ("ready", "archived"):
            return None
        storage, is_child = self._plane.storage, branch.parent_id is not None
        logical = storage.size_bytes(branch.node_id)
        # A child costs what was written to it, at most its whole size; history is charged for roots only.
        since = branch.created_at if is_child else self._plane.history_start(project)
        written = storage.history_bytes(branch.node_id, since)
        return Meter(
            id=branch.id,
            project_id=project.id,
            branch_id=branch.id,
            at=now,
            logical_bytes=logical,
            root_bytes=0 if is_child else logical,
            child_bytes=min(written, logical) if is_child else 0,
            history_bytes=0 if is_child else written,
            is_child=is_child,
        )

    def _count(self, project: Project, looks: list[Meter], now: datetime) -> None:
        """All of a project in one transaction, so that its totals are those of its branches."""
        store = self._plane.store
        with store.transaction():
            if store.get(Project, project.id) is None:
                return
            whole = self._look_at_snapshots(project, now)
            before = store.get(Meter, project.id) or whole
            parts = _parts(before, whole, None, None)
            for look in looks:
                parts += self._count_branch(look)
            for part in parts:
                self._add(part)
            store.put(_with_totals(before, whole, parts))
            for meter in store.find_by(Meter, "project_id", project.id):
                if meter.branch_id is not None and store.get(Branch, meter.branch_id) is None:
                    store.remove(meter)

    def _count_branch(self, look: Meter) -> list[Usage]:
        branch = self._plane.store.get(Branch, look.id)
        if branch is None:
            return []
        before = self._plane.store.get(Meter, look.id) or _first(look, branch)
        parts = _parts(before, look, branch, self._plane.endpoint_of(branch.id))
        self._plane.store.put(_with_totals(before, look, parts))
        return parts

    def _look_at_snapshots(self, project: Project, now: datetime) -> Meter:
        sizes = (s.full_size_bytes or s.diff_size_bytes or 0 for s in self._plane.snapshots(project.id))
        return Meter(id=project.id, project_id=project.id, branch_id=None, at=now, snapshot_bytes=sum(sizes))

    def _add(self, part: Usage) -> None:
        known = self._plane.store.get(Usage, part.id)
        self._plane.store.put(_summed(known, part) if known else part)

    def _fold(self, now: datetime) -> None:
        """Old hours become days; what nobody can ask for any more is forgotten."""
        store = self._plane.store
        with store.transaction():
            for hour in store.find(Usage, lambda used: used.hours == 1 and used.start < _day_of(now - HOURLY_FOR)):
                day = _day_of(hour.start)
                store.remove(hour)
                self._add(replace(hour, id=_usage_id(hour.branch_id or hour.project_id, day, 24), start=day, hours=24))
            for old in store.find(Usage, lambda used: used.start < now - KEPT_FOR):
                store.remove(old)


def _first(look: Meter, branch: Branch) -> Meter:
    """For a branch that was not looked at before: it was always as large, if it is new."""
    is_new = look.at - branch.created_at < HOUR
    return replace(look, at=min(branch.created_at, look.at) if is_new else look.at)


def _parts(before: Meter, look: Meter, branch: Branch | None, endpoint: Endpoint | None) -> list[Usage]:
    """What was used from the last look to this one, cut into hours or days, with the sizes of the last one."""
    until = min(look.at, branch.expires_at) if branch is not None and branch.expires_at else look.at
    parts = []
    for start, hours, begin, end in _spans(before.at, until, look.at):
        share = (end - begin) / HOUR
        active = _active_seconds(endpoint, begin, end)
        part = Usage(
            id=_usage_id(look.id, start, hours),
            project_id=look.project_id,
            branch_id=look.branch_id,
            start=start,
            hours=hours,
            root_byte_hours=before.root_bytes * share,
            child_byte_hours=before.child_bytes * share,
            history_byte_hours=before.history_bytes * share,
            snapshot_byte_hours=before.snapshot_bytes * share,
            child_hours=share if before.is_child else 0.0,
            active_seconds=active,
            # There is no autoscaling: a compute runs at its smallest size.
            compute_unit_seconds=active * endpoint.min_cu if endpoint else 0.0,
        )
        parts.append(part)
    return parts


def _spans(begin: datetime, until: datetime, now: datetime) -> Iterator[tuple[datetime, int, datetime, datetime]]:
    """Pieces of the time from `begin` to `until`: the hour or day that each lies in, its hours, its two ends."""
    while begin < until:
        by_day = begin < _day_of(now - HOURLY_FOR)
        start = _day_of(begin) if by_day else begin.replace(minute=0, second=0, microsecond=0)
        end = min(until, start + (DAY if by_day else HOUR))
        yield start, 24 if by_day else 1, begin, end
        begin = end


def _active_seconds(endpoint: Endpoint | None, begin: datetime, end: datetime) -> float:
    """How much of that time the compute ran, by its last start and stop."""
    if endpoint is None or endpoint.started_at is None:
        return 0.0
    stopped_at = None if endpoint.current_state == "active" else endpoint.suspended_at
    if stopped_at is not None:
        end = min(end, stopped_at)
    return max(0.0, (end - max(begin, endpoint.started_at)).total_seconds())


def _with_totals(before: Meter, look: Meter, parts: list[Usage]) -> Meter:
    period_start = look.at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if before.period_start != period_start:
        before = replace(before, period_byte_hours=0.0, period_active_seconds=0.0, period_compute_unit_seconds=0.0)
    parts = [part for part in parts if part.start >= period_start]
    return replace(
        look,
        period_start=period_start,
        period_byte_hours=before.period_byte_hours + sum(p.root_byte_hours + p.child_byte_hours for p in parts),
        period_active_seconds=before.period_active_seconds + sum(p.active_seconds for p in parts),
        period_compute_unit_seconds=before.period_compute_unit_seconds + sum(p.compute_unit_seconds for p in parts),
    )


def _summed(known: Usage, part: Usage) -> Usage:
    return replace(known, **{name: getattr(known, name) + getattr(part, name) for name in _SUMS})


def _usage_id(owner_id: str, start: datetime, hours: int) -> str:
    return f"{owner_id}/{start:%Y-%m-%dT%H}/{hours}"


def _day_of(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
