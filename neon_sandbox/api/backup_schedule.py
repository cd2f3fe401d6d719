from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neon_sandbox.api.branches import find_branch
from neon_sandbox.api.request import Reply, Request
from neon_sandbox.entities import BackupSchedule
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem
from neon_sandbox.slots import LONGEST_RETENTION_SECONDS

SHORTEST_RETENTION_SECONDS = 3600
FREQUENCIES = ("daily", "weekly", "monthly")
_LAST_DAY = {"weekly": 7, "monthly": 31}
_KNOWN = ("frequency", "hour", "day", "month", "retention_seconds")


def get_schedule(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    branch = find_branch(plane, project_id, branch_id)
    schedule = plane.store.get(BackupSchedule, branch.id)
    return Reply(200, {"schedule": schedule.items if schedule else []})


def put_schedule(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    """Replaces the whole schedule. It begins now: slots that have passed are not made up for."""
    items = _items(request.body())
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        if items and plane.settings.plan == "free":
            raise ApiProblem(403, "backup schedules are not available on the Free plan")
        if branch.parent_id is not None:
            raise ApiProblem(422, "backup schedules are available for root branches only")
        plane.refuse_if_locked(project_id)
        before = plane.store.get(BackupSchedule, branch.id)
        if items:
            plane.store.put(BackupSchedule(branch.id, project_id, items, done_until=plane.clock.now()))
        elif before is not None:
            plane.store.remove(before)
    return Reply(200, {})


def _items(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    items = body.get("schedule")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ApiProblem(400, "invalid request: decode application/json: invalid: schedule (field required)")
    return [_checked(item) for item in items]


def _checked(item: Mapping[str, Any]) -> dict[str, Any]:
    frequency = item.get("frequency")
    if frequency not in FREQUENCIES:
        raise ApiProblem(400, f"unsupported schedule frequency: must be one of {', '.join(FREQUENCIES)}")
    _check_number(item, "hour", 0, 23, missing=f"{frequency} schedules must specify the hour of the day")
    if frequency in _LAST_DAY:
        unit = "week" if frequency == "weekly" else "month"
        missing = f"{frequency} schedules must specify the day of the {unit}"
        _check_number(item, "day", 1, _LAST_DAY[frequency], missing=missing)
    _check_number(item, "retention_seconds", SHORTEST_RETENTION_SECONDS, LONGEST_RETENTION_SECONDS)
    return {name: item[name] for name in _KNOWN if item.get(name) is not None}


def _check_number(item: Mapping[str, Any], name: str, least: int, most: int, *, missing: str | None = None) -> None:
    value = item.get(name)
    if value is None:
        if missing is not None:
            raise ApiProblem(400, missing)
        return
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ApiProblem(400, f"invalid request: {name} must be a whole number from {least} to {most}")
