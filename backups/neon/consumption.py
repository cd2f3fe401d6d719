"""What projects and branches have used, as Neon counts it for the invoice.

Neon renews the figures about every quarter of an hour, allows about thirty of these calls a minute for a whole
account, and offers them on paid plans only (NeonForbidden otherwise). Asking wakes no compute.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.paging import pages
from backups.neon.wire import Raw, UnusableShape

_MOST_IDS = 100
_PROJECTS_A_PAGE = 100
_BRANCHES_A_PAGE = 1000


class Granularity(StrEnum):
    """How long a timeframe is, and how far back Neon tells it."""

    HOURLY = "hourly"  # the last 168 hours
    DAILY = "daily"  # the last 60 days
    MONTHLY = "monthly"  # the last year


class Metric(StrEnum):
    """What can be asked for. Those named `month` count byte-hours or branch-hours: see `backups.domain.usage`."""

    COMPUTE_UNIT_SECONDS = "compute_unit_seconds"
    ROOT_BRANCH_BYTES = "root_branch_bytes_month"
    CHILD_BRANCH_BYTES = "child_branch_bytes_month"
    INSTANT_RESTORE_BYTES = "instant_restore_bytes_month"
    PUBLIC_TRANSFER_BYTES = "public_network_transfer_bytes"
    PRIVATE_TRANSFER_BYTES = "private_network_transfer_bytes"
    SNAPSHOT_BYTES = "snapshot_storage_bytes_month"  # of projects only
    EXTRA_BRANCHES = "extra_branches_month"  # of projects only


ONLY_OF_PROJECTS = frozenset({Metric.SNAPSHOT_BYTES, Metric.EXTRA_BRANCHES})


@dataclass(frozen=True, slots=True)
class Timeframe:
    """`amounts` by the name of the metric, in its own unit. What Neon does not name was not counted."""

    start: datetime
    end: datetime
    amounts: Mapping[str, int]

    @classmethod
    def of(cls, raw: Raw) -> Timeframe:
        return cls(
            start=_required_moment(raw, "timeframe_start"),
            end=_required_moment(raw, "timeframe_end"),
            amounts=MappingProxyType(dict(_amount(item) for item in wire.objects_in(raw, "metrics"))),
        )


@dataclass(frozen=True, slots=True)
class Period:
    """One billing period, oldest timeframe first. `end` is None while the period runs."""

    id: str | None
    plan: str | None
    start: datetime | None
    end: datetime | None
    timeframes: tuple[Timeframe, ...]

    @classmethod
    def of(cls, raw: Raw) -> Period:
        return cls(
            id=wire.text(raw, "period_id"),
            plan=wire.text(raw, "period_plan"),
            start=wire.moment(raw, "period_start"),
            end=wire.moment(raw, "period_end"),
            timeframes=tuple(Timeframe.of(item) for item in wire.objects_in(raw, "consumption")),
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a project, or of one of its branches when `branch_id` is given."""

    project_id: str
    branch_id: str | None
    periods: tuple[Period, ...]

    @property
    def timeframes(self) -> tuple[Timeframe, ...]:
        """Of all periods, in Neon's order."""
        return tuple(frame for period in self.periods for frame in period.timeframes)

    def total(self, metric: str) -> int:
        """The sum over all timeframes; one that does not name the metric adds nothing."""
        return sum(frame.amounts.get(metric, 0) for frame in self.timeframes)


class Consumption:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def projects(
        self,
        org_id: str,
        *,
        since: datetime,
        until: datetime,
        granularity: Granularity,
        metrics: Collection[Metric],
        project_ids: Collection[str] = (),
    ) -> tuple[Usage, ...]:
        """Of the named projects, or of all of the organisation. Neon widens the times to whole timeframes.

        Raises NeonForbidden on a plan without figures, NeonOutOfWindow when `since` is too long ago for the
        granularity.
        """
        params = _asked(org_id, since, until, granularity, metrics)
        if project_ids:
            params["project_ids"] = _id_list(project_ids, "projects")
        return self._all("consumption.projects", "projects", params, _PROJECTS_A_PAGE)

    def branches(
        self,
        org_id: str,
        *,
        since: datetime,
        until: datetime,
        granularity: Granularity,
        metrics: Collection[Metric],
        project_ids: Collection[str],
        branch_ids: Collection[str] = (),
    ) -> tuple[Usage, ...]:
        """Of the named branches, or of all of the named projects. Snapshots and extra branches are counted for
        projects only. Raises as `projects` does."""
        if ONLY_OF_PROJECTS & set(metrics):
            raise ValueError("Neon counts snapshots and extra branches for whole projects only")
        params = _asked(org_id, since, until, granularity, metrics)
        params["project_ids"] = _id_list(project_ids, "projects")
        if branch_ids:
            params["branch_ids"] = _id_list(branch_ids, "branches")
        return self._all("consumption.branches", "branches", params, _BRANCHES_A_PAGE)

    def _all(self, name: str, key: str, params: Mapping[str, str], page_size: int) -> tuple[Usage, ...]:
        def build(page: Raw) -> tuple[Usage, ...]:
            return tuple(_usage(raw, of_branch=key == "branches") for raw in wire.objects_in(page, key))

        walk = pages(self._caller, name, build, cursor="cursor", params=params, page_size=page_size)
        # What shifts to the next page while we read must not count twice.
        found = {(usage.project_id, usage.branch_id): usage for page in walk for usage in page}
        return tuple(found.values())


def _asked(
    org_id: str, since: datetime, until: datetime, granularity: Granularity, metrics: Iterable[Metric]
) -> dict[str, str]:
    chosen = tuple(dict.fromkeys(metrics))
    if not chosen:
        raise ValueError("no metric to ask for")
    if since >= until:
        raise ValueError("a range begins before it ends")
    return {
        "org_id": wire.checked_id(org_id),
        "from": wire.format_second(since),
        "to": wire.format_expiry(until),
        "granularity": granularity.value,
        "metrics": ",".join(chosen),
    }


def _id_list(ids: Collection[str], what: str) -> str:
    if not 1 <= len(ids) <= _MOST_IDS:
        raise ValueError(f"Neon takes 1 to {_MOST_IDS} {what} at once")
    return ",".join(wire.checked_id(each) for each in ids)


def _usage(raw: Raw, *, of_branch: bool) -> Usage:
    return Usage(
        project_id=wire.required_text(raw, "project_id"),
        branch_id=wire.required_text(raw, "branch_id") if of_branch else None,
        periods=tuple(Period.of(item) for item in wire.objects_in(raw, "periods")),
    )


def _amount(raw: Raw) -> tuple[str, int]:
    value = wire.integer(raw, "value")
    if value is None:
        # Left out it would look as if nothing had been used.
        raise UnusableShape("a metric without a number")
    return wire.required_text(raw, "metric_name"), value


def _required_moment(raw: Raw, key: str) -> datetime:
    found = wire.moment(raw, key)
    if found is None:
        raise UnusableShape(f"no {key}")
    return found
