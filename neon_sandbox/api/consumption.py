"""Consumption history v2: what projects and branches used, by the hour, the day or the month."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from neon_sandbox import problems, times
from neon_sandbox.api.projects import ORGANISATION_ID
from neon_sandbox.api.request import Reply, Request
from neon_sandbox.entities import Branch, Project, Usage
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem

MOST_IDS = 100
# How far back each granularity reaches.
WINDOWS = {"hourly": timedelta(hours=168), "daily": timedelta(days=60), "monthly": timedelta(days=366)}
_PERIODS = uuid.UUID("6d0c5d0e-5d1c-4c6e-9f57-0c5f1d7a9b11")

# Byte-hours, branch-hours and seconds. Traffic is not metered here, and no branch sends any to another machine.
_OF_BRANCHES: Mapping[str, Callable[[Usage], float]] = {
    "compute_unit_seconds": lambda used: used.compute_unit_seconds,
    "root_branch_bytes_month": lambda used: used.root_byte_hours,
    "child_branch_bytes_month": lambda used: used.child_byte_hours,
    "instant_restore_bytes_month": lambda used: used.history_byte_hours,
    "public_network_transfer_bytes": lambda used: 0,
    "private_network_transfer_bytes": lambda used: 0,
}
_OF_PROJECTS: Mapping[str, Callable[[Usage], float]] = {
    **_OF_BRANCHES,
    "snapshot_storage_bytes_month": lambda used: used.snapshot_byte_hours,
    "extra_branches_month": lambda used: used.child_hours,
}


@dataclass(frozen=True)
class Wanted:
    """A frame belongs to the answer when it begins before `until`."""

    granularity: str
    since: datetime
    until: datetime
    metrics: Mapping[str, Callable[[Usage], float]]


def of_projects(plane: Plane, request: Request) -> Reply:
    wanted = _wanted(plane, request, _OF_PROJECTS)
    only = _ids(request, "project_ids")
    newest_first = sorted(plane.store.find(Project), key=lambda p: (p.created_at, p.id), reverse=True)
    found = [project for project in newest_first if not only or project.id in only]
    page = _page(request, found, default=10, maximum=100)
    projects = [
        {
            "project_id": project.id,
            "periods": _periods(plane, project.id, plane.store.find_by(Usage, "project_id", project.id), wanted),
        }
        for project in page
    ]
    return Reply(200, {"projects": projects, **_pagination(page)})


def of_branches(plane: Plane, request: Request) -> Reply:
    project_ids = _ids(request, "project_ids")
    if not project_ids:
        raise ApiProblem(400, "invalid request: project_ids is required")
    wanted = _wanted(plane, request, _OF_BRANCHES)
    only = _ids(request, "branch_ids")
    branches = [branch for project_id in sorted(set(project_ids)) for branch in plane.branches(project_id)]
    found = sorted((branch for branch in branches if not only or branch.id in only), key=lambda branch: branch.id)
    page = _page(request, found, default=100, maximum=1000)
    shown = [
        {
            "project_id": branch.project_id,
            "branch_id": branch.id,
            "periods": _periods(plane, branch.project_id, _usage_of(plane, branch), wanted),
        }
        for branch in page
    ]
    return Reply(200, {"branches": shown, **_pagination(page)})


def _usage_of(plane: Plane, branch: Branch) -> list[Usage]:
    everything = plane.store.find_by(Usage, "project_id", branch.project_id)
    return [used for used in everything if used.branch_id == branch.id]


# What is asked for


def _wanted(plane: Plane, request: Request, known: Mapping[str, Callable[[Usage], float]]) -> Wanted:
    if missing := [name for name in ("org_id", "from", "to", "granularity", "metrics") if not request.query.get(name)]:
        raise ApiProblem(400, f"invalid request: {', '.join(missing)} (field required)")
    if request.query["org_id"] != ORGANISATION_ID:
        raise problems.not_found("organization")
    if plane.settings.plan == "free":
        raise ApiProblem(403, "consumption history is not available on this plan")
    granularity = request.query["granularity"]
    if granularity not in WINDOWS:
        raise ApiProblem(400, "invalid request: granularity must be hourly, daily or monthly")
    if unknown := [name for name in request.query["metrics"].split(",") if name not in known]:
        raise ApiProblem(400, f"invalid request: unknown metrics: {', '.join(unknown)}")
    since = times.parse_time(request.query["from"], "from")
    until = times.parse_time(request.query["to"], "to")
    if since >= until or since < plane.clock.now() - WINDOWS[granularity]:
        raise ApiProblem(406, f"the range from {request.query['from']} is not valid for {granularity} granularity")
    if plane.settings.consumption_lag_seconds == 0:
        plane.read_meters()
    metrics = {name: known[name] for name in request.query["metrics"].split(",")}
    return Wanted(granularity, _frame_start(since, granularity), until, metrics)


def _ids(request: Request, name: str) -> list[str]:
    ids = [one for one in request.query.get(name, "").split(",") if one]
    if len(ids) > MOST_IDS:
        raise ApiProblem(400, f"invalid request: {name} holds at most {MOST_IDS} ids")
    return ids


def _page(request: Request, found: Sequence[Any], *, default: int, maximum: int) -> list[Any]:
    cursor = request.query.get("cursor")
    ids = [entity.id for entity in found]
    if cursor and cursor not in ids:
        raise ApiProblem(400, "invalid request: invalid cursor")
    begin = ids.index(cursor) + 1 if cursor else 0
    return list(found[begin : begin + request.whole_number("limit", default=default, maximum=maximum)])


def _pagination(page: Sequence[Any]) -> dict[str, Any]:
    return {"pagination": {"cursor": page[-1].id}} if page else {}


# What is answered


def _periods(plane: Plane, project_id: str, usage: Iterable[Usage], wanted: Wanted) -> list[dict[str, Any]]:
    """Billing periods are calendar months; each holds the frames that begin in it, the oldest first."""
    in_range = [used for used in usage if wanted.since <= _start_of(used, wanted) < wanted.until]
    frames = groupby(sorted(in_range, key=lambda used: used.start), key=lambda used: _start_of(used, wanted))
    shown = [(start, _frame(start, list(used), wanted)) for start, used in frames]
    by_month = groupby(shown, key=lambda frame: _frame_start(frame[0], "monthly"))
    return [_period(plane, project_id, month, [frame for _, frame in frames]) for month, frames in by_month]


def _start_of(used: Usage, wanted: Wanted) -> datetime:
    return _frame_start(used.start, wanted.granularity)


def _frame(start: datetime, usage: Sequence[Usage], wanted: Wanted) -> dict[str, Any]:
    return {
        "timeframe_start": times.shown(start),
        "timeframe_end": times.shown(_frame_end(start, wanted.granularity)),
        "metrics": [
            {"metric_name": name, "value": round(sum(value(used) for used in usage))}
            for name, value in wanted.metrics.items()
        ],
    }


def _period(plane: Plane, project_id: str, month: datetime, frames: list[dict[str, Any]]) -> dict[str, Any]:
    period = {
        "period_id": str(uuid.uuid5(_PERIODS, f"{project_id}/{month:%Y-%m}")),
        "period_plan": plane.settings.plan,
        "period_start": times.shown(month),
        "consumption": frames,
    }
    end = times.next_month(month)
    return period | ({"period_end": times.shown(end)} if end <= plane.clock.now() else {})


def _frame_start(moment: datetime, granularity: str) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if granularity == "hourly":
        return hour
    return hour.replace(hour=0) if granularity == "daily" else hour.replace(hour=0, day=1)


def _frame_end(start: datetime, granularity: str) -> datetime:
    if granularity == "monthly":
        return times.next_month(start)
    return start + (timedelta(hours=1) if granularity == "hourly" else timedelta(days=1))
