"""What several calls check in the same way: points in time, names, caps, expiry."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from neon_sandbox import times
from neon_sandbox.entities import Branch, Project
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Point

LONGEST_LIFE = timedelta(days=30)


def read_point(values: Mapping[str, Any], time_field: str, lsn_field: str) -> Point:
    timestamp, lsn = values.get(time_field), values.get(lsn_field)
    if timestamp is not None and lsn is not None:
        raise ApiProblem(400, f"only one of {time_field} and {lsn_field} can be given")
    return Point(
        timestamp=None if timestamp is None else times.parse_time(timestamp, time_field),
        lsn=None if lsn is None else times.parse_lsn(lsn, lsn_field),
    )


def check_point(plane: Plane, project: Project, source: Branch, point: Point) -> None:
    refuse_unready(source)
    if point.is_head:
        return
    if project.history_retention_seconds == 0:
        raise ApiProblem(400, "the project keeps no history")
    if point.timestamp is not None:
        _check_time(plane, project, source, point.timestamp)
    if point.lsn is not None:
        _check_lsn(source, point.lsn)
    plane.storage.check(source.node_id, point)


def refuse_unready(branch: Branch) -> None:
    if branch.current_state not in ("ready", "archived"):
        raise ApiProblem(422, "branch not ready yet")


def _check_time(plane: Plane, project: Project, source: Branch, timestamp: datetime) -> None:
    if timestamp > plane.clock.now():
        raise ApiProblem(400, "the given timestamp is in the future")
    if timestamp < plane.history_start(project):
        raise ApiProblem(400, "the given timestamp is outside the history window of the project")
    if timestamp < source.history_from:
        raise ApiProblem(400, "the given timestamp is before the branch existed")


def _check_lsn(source: Branch, lsn: int) -> None:
    begins = [begin for begin in (source.parent_lsn, source.history_from_lsn) if begin is not None]
    if begins and lsn < max(begins):
        raise ApiProblem(400, "the given LSN is before the branch existed")


def refuse_taken_name(plane: Plane, project_id: str, name: str, *, but: Branch | None = None) -> None:
    if len(name) > 256:
        raise ApiProblem(400, "invalid request: name must have 1 to 256 characters")
    for branch in plane.branches(project_id):
        if branch.name == name and (but is None or branch.id != but.id):
            raise ApiProblem(409, "A branch with the provided name already exists.", "BRANCH_ALREADY_EXISTS")


def refuse_too_many(plane: Plane, project_id: str, *, another_root: bool) -> None:
    branches = plane.branches(project_id)
    if len(branches) >= plane.branch_cap():
        raise ApiProblem(422, "branches limit exceeded", "BRANCHES_LIMIT_EXCEEDED")
    roots = sum(branch.parent_id is None for branch in branches)
    if another_root and roots >= plane.root_cap():
        raise ApiProblem(422, "root branches limit exceeded", "ROOT_BRANCHES_LIMIT_EXCEEDED")


def refuse_another_protected(plane: Plane, project_id: str) -> None:
    cap = plane.protected_cap()
    if cap == 0:
        raise ApiProblem(403, "protected branches are not available on this plan")
    if sum(branch.protected for branch in plane.branches(project_id)) >= cap:
        raise ApiProblem(422, f"protected branches limit exceeded: this plan allows {cap}")


def wanted_expiry(plane: Plane, wanted: Mapping[str, Any]) -> datetime | None:
    if wanted.get("expires_at") is None:
        return None
    expires_at = times.parse_time(wanted["expires_at"], "expires_at").replace(microsecond=0)
    now = plane.clock.now()
    if not now < expires_at <= now + LONGEST_LIFE:
        raise ApiProblem(400, "expires_at must be in the future and at most 30 days ahead")
    return expires_at


def seconds_until(plane: Plane, moment: datetime) -> int:
    return round((moment - plane.clock.now()).total_seconds())


def new_node_id() -> str:
    return f"node-{secrets.token_hex(6)}"


def new_password() -> str:
    return f"npg_{secrets.token_urlsafe(15)}"
