from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from neon_sandbox import ids, problems, times
from neon_sandbox.api import paging, shapes
from neon_sandbox.api.endpoints import new_endpoint
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request, flag_of, text_of
from neon_sandbox.entities import Branch, Endpoint, Project
from neon_sandbox.jobs import point_arguments
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Point

LONGEST_LIFE = timedelta(days=30)


def find_branch(plane: Plane, project_id: str, branch_id: str) -> Branch:
    found = plane.store.get(Branch, branch_id)
    if found is None or found.project_id != project_id:
        raise problems.not_found("branch")
    return found


def list_branches(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    page, pagination = paging.branch_page(request, plane.branches(project_id))
    return Reply(200, {
        "branches": [shapes.branch(branch) for branch in page],
        "annotations": {branch.id: shapes.annotation(branch) for branch in page if branch.annotation},
        "pagination": pagination,
    })


def count_branches(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    search = request.query.get("search", "")
    return Reply(200, {"count": sum(search in b.name or search in b.id for b in plane.branches(project_id))})


def get_branch(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    branch = find_branch(plane, project_id, branch_id)
    body = {"branch": shapes.branch(branch)}
    if branch.annotation:
        body["annotation"] = shapes.annotation(branch)
    return Reply(200, body)


def create_branch(plane: Plane, request: Request, project_id: str) -> Reply:
    project = find_project(plane, project_id)
    wanted = request.part("branch")
    endpoints = request.body().get("endpoints") or []
    _check_endpoints(endpoints)
    with plane.store.transaction():
        parent = _parent(plane, project, wanted)
        point = read_point(wanted, "parent_timestamp", "parent_lsn")
        check_point(plane, project, parent, point)
        branch = _new_branch(plane, project, parent, wanted, _annotation(request))
        plane.refuse_if_locked(project_id)
        plane.store.put(branch)
        _inherit_catalog(plane, parent, branch, point.timestamp)
        endpoint = new_endpoint(plane, branch, endpoints[0]) if endpoints else None
        planned = [Planned("create_branch", branch.id)]
        if endpoint is not None:
            planned.append(Planned("start_compute", branch.id, endpoint.id))
        arguments = {
            "branch_id": branch.id, "node_id": branch.node_id, "source_node_id": parent.node_id,
            "node_ids": [branch.node_id, parent.node_id], "endpoint_id": endpoint.id if endpoint else None,
            "point": point_arguments(point), "new_passwords": parent.protected,
        }
        operations = plane.schedule(project_id, "create_branch", planned, arguments, request.effects)
    return Reply(201, _created(plane, branch, endpoint, shapes.operations(operations)))


def update_branch(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    wanted = request.part("branch", required=True)
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        changes: dict[str, Any] = {}
        if name := text_of(wanted, "name"):
            refuse_taken_name(plane, project_id, name, but=branch)
            changes["name"] = name
        if (protected := flag_of(wanted, "protected")) is not None:
            changes["protected"] = protected
        if "expires_at" in wanted:
            changes |= _changed_expiry(plane, branch, wanted)
        plane.refuse_if_locked(project_id)
        branch = plane.change_branch(branch, **changes)
    return Reply(200, {"branch": shapes.branch(branch), "operations": []})


def delete_branch(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    find_project(plane, project_id)
    with plane.store.transaction():
        branch = plane.store.get(Branch, branch_id)
        if branch is None or branch.project_id != project_id:
            return Reply(204)
        _refuse_needed(plane, branch)
        operations = schedule_deletion(plane, branch, request.effects)
    return Reply(200, {"branch": shapes.branch(branch), "operations": operations})


def schedule_deletion(plane: Plane, branch: Branch, effects: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    endpoint = plane.endpoint_of(branch.id)
    planned = [Planned("delete_timeline", branch.id)]
    if endpoint is not None:
        planned.insert(0, Planned("suspend_compute", branch.id, endpoint.id))
    arguments = {"deleted_node_id": branch.node_id, "node_ids": [branch.node_id]}
    operations = plane.schedule(branch.project_id, "delete_branch", planned, arguments, effects)
    plane.remove_branch(branch)
    return shapes.operations(operations)


def set_default(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        if branch.expires_at is not None:
            raise ApiProblem(422, "a branch that expires can not be the default branch")
        plane.refuse_if_locked(project_id)
        for other in plane.branches(project_id):
            if other.default and other.id != branch.id:
                plane.change_branch(other, default=False)
        branch = plane.change_branch(branch, default=True)
    return Reply(200, {"branch": shapes.branch(branch), "operations": []})


# Points


def read_point(values: Mapping[str, Any], time_field: str, lsn_field: str) -> Point:
    timestamp, lsn = values.get(time_field), values.get(lsn_field)
    if timestamp is not None and lsn is not None:
        raise ApiProblem(400, f"only one of {time_field} and {lsn_field} can be given")
    return Point(
        timestamp=None if timestamp is None else times.parse_time(timestamp, time_field),
        lsn=None if lsn is None else times.parse_lsn(lsn, lsn_field),
    )


def check_point(plane: Plane, project: Project, source: Branch, point: Point) -> None:
    if source.current_state not in ("ready", "archived"):
        raise ApiProblem(422, "branch not ready yet")
    if point.is_head:
        return
    if project.history_retention_seconds == 0:
        raise ApiProblem(400, "the project keeps no history")
    if point.timestamp is not None:
        _check_time(plane, project, source, point.timestamp)
    plane.storage.check(source.node_id, point)


def _check_time(plane: Plane, project: Project, source: Branch, timestamp: datetime) -> None:
    if timestamp > times.now():
        raise ApiProblem(400, "the given timestamp is in the future")
    if timestamp < plane.history_start(project):
        raise ApiProblem(400, "the given timestamp is outside the history window of the project")
    if timestamp < source.history_from:
        raise ApiProblem(400, "the given timestamp is before the branch existed")


# Names, limits, expiry


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


def _changed_expiry(plane: Plane, branch: Branch, wanted: Mapping[str, Any]) -> dict[str, Any]:
    expires_at = _expiry(wanted)
    if expires_at is None:
        return {"expires_at": None, "ttl_interval_seconds": None}
    if branch.default or branch.protected or plane.children(branch.id):
        raise ApiProblem(422, "default, protected and parent branches can not expire")
    return {"expires_at": expires_at, "ttl_interval_seconds": _seconds_until(expires_at)}


def _expiry(wanted: Mapping[str, Any]) -> datetime | None:
    if wanted.get("expires_at") is None:
        return None
    expires_at = times.parse_time(wanted["expires_at"], "expires_at").replace(microsecond=0)
    if not times.now() < expires_at <= times.now() + LONGEST_LIFE:
        raise ApiProblem(400, "expires_at must be in the future and at most 30 days ahead")
    return expires_at


def _seconds_until(moment: datetime) -> int:
    return round((moment - times.now()).total_seconds())


# Creating


def _parent(plane: Plane, project: Project, wanted: Mapping[str, Any]) -> Branch:
    parent_id = text_of(wanted, "parent_id")
    if parent_id is None:
        return next(branch for branch in plane.branches(project.id) if branch.default)
    parent = plane.store.get(Branch, parent_id)
    if parent is None or parent.project_id != project.id:
        raise problems.not_found("parent branch")
    if parent.expires_at is not None:
        raise ApiProblem(422, "branches can not be created from a branch that expires")
    return parent


def _check_endpoints(endpoints: object) -> None:
    if not isinstance(endpoints, list) or not all(isinstance(item, dict) for item in endpoints):
        raise ApiProblem(400, "invalid request: endpoints must be an array of objects")
    if any(item.get("type") not in ("read_write", "read_only") for item in endpoints):
        raise ApiProblem(400, "invalid request: endpoints: type (field required)")
    if any(item["type"] == "read_only" for item in endpoints):
        raise ApiProblem(422, "read_only endpoints are not available in the local sandbox")
    if len(endpoints) > 1:
        raise ApiProblem(422, "a branch can have one read_write endpoint only")


def _annotation(request: Request) -> dict[str, str]:
    values = request.part("annotation_value")
    if len(values) > 50 or not all(isinstance(value, str) for value in values.values()):
        raise ApiProblem(400, "invalid request: annotation_value holds at most 50 strings")
    return values


def _new_branch(
    plane: Plane, project: Project, parent: Branch, wanted: Mapping[str, Any], annotation: dict[str, str]
) -> Branch:
    branch_id = ids.branch_id()
    name = text_of(wanted, "name") or branch_id
    refuse_taken_name(plane, project.id, name)
    refuse_too_many(plane, project.id, another_root=False)
    expires_at = _expiry(wanted)
    protected = flag_of(wanted, "protected") or False
    if protected and expires_at is not None:
        raise ApiProblem(422, "default, protected and parent branches can not expire")
    moment = plane.moment()
    return Branch(
        id=branch_id, project_id=project.id, name=name, node_id=new_node_id(), parent_id=parent.id,
        created_at=moment, updated_at=moment, state_changed_at=moment, history_from=moment, protected=protected,
        current_state="init", pending_state="ready", annotation=annotation, expires_at=expires_at,
        ttl_interval_seconds=_seconds_until(expires_at) if expires_at else None,
    )


def new_node_id() -> str:
    return f"node-{secrets.token_hex(6)}"


def new_password() -> str:
    return f"npg_{secrets.token_urlsafe(15)}"


def _inherit_catalog(plane: Plane, parent: Branch, branch: Branch, until: datetime | None) -> None:
    plane.copy_catalog(parent.id, branch.id, until=until)
    if parent.protected:
        for role in plane.roles(branch.id):
            plane.store.put(replace(role, password=new_password()))


def _created(
    plane: Plane, branch: Branch, endpoint: Endpoint | None, operations: list[dict[str, Any]]
) -> dict[str, Any]:
    roles, databases = plane.roles(branch.id), plane.databases(branch.id)
    body: dict[str, Any] = {
        "branch": shapes.branch(branch), "endpoints": [shapes.endpoint(endpoint)] if endpoint else [],
        "operations": operations, "roles": [shapes.role(role) for role in roles],
        "databases": [shapes.database(database) for database in databases],
    }
    if endpoint is not None and len(roles) == len(databases) == 1:
        uri = plane.connection_uri(endpoint, roles[0], databases[0].name)
        body["connection_uris"] = [{"connection_uri": uri}]
    return body


def _refuse_needed(plane: Plane, branch: Branch) -> None:
    if branch.default:
        raise ApiProblem(422, "the default branch can not be deleted")
    if branch.original_root:
        raise ApiProblem(422, "the root branch of the project can not be deleted")
    if branch.protected:
        raise ApiProblem(422, "a protected branch can not be deleted")
    if branch.kept_for_history:
        raise ApiProblem(422, "a backup branch made by restoring a root branch from another branch can not be deleted")
    if plane.children(branch.id):
        raise ApiProblem(422, "the branch has children; delete them first")
