from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from neon_sandbox import ids, problems
from neon_sandbox.api import shapes
from neon_sandbox.api.endpoints import new_endpoint
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request, flag_of, text_of
from neon_sandbox.api.rules import (
    check_point,
    new_node_id,
    new_password,
    read_point,
    refuse_another_protected,
    refuse_taken_name,
    refuse_too_many,
    seconds_until,
    wanted_expiry,
)
from neon_sandbox.archiving import access
from neon_sandbox.entities import Branch, Endpoint, Operation, Project
from neon_sandbox.jobs import point_arguments
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Point

# New roots with the parent's tables and none of its rows; the second is a later name of the same.
STRUCTURE_ONLY = ("schema-only", "parent-schema")


def create_branch(plane: Plane, request: Request, project_id: str) -> Reply:
    project = find_project(plane, project_id)
    wanted = request.part("branch")
    endpoints = request.body().get("endpoints") or []
    _check_endpoints(endpoints)
    init_source = _init_source(wanted)
    archived = _archived(wanted, endpoints)
    with plane.store.transaction():
        parent = _parent(plane, project, wanted)
        point = read_point(wanted, "parent_timestamp", "parent_lsn")
        plane.refuse_if_locked(project_id)
        check_point(plane, project, parent, point)
        branch = _new_branch(plane, project, parent, wanted, init_source, _annotation(request))
        plane.store.put(branch)
        _inherit_catalog(plane, parent, branch, point.timestamp)
        endpoint = new_endpoint(plane, branch, endpoints[0]) if endpoints else None
        operations = _schedule(plane, request, parent, branch, endpoint, point, archived=archived)
    return Reply(201, _created(plane, branch, endpoint, shapes.operations(operations)))


def _schedule(
    plane: Plane,
    request: Request,
    parent: Branch,
    branch: Branch,
    endpoint: Endpoint | None,
    point: Point,
    *,
    archived: bool,
) -> list[Operation]:
    needed = access(plane, parent)
    planned = [*needed.planned, Planned("create_branch", branch.id)]
    structure_only = branch.init_source in STRUCTURE_ONLY
    if structure_only:
        planned.append(Planned("apply_schema_from_branch", branch.id))
    if endpoint is not None:
        planned.append(Planned("start_compute", branch.id, endpoint.id))
    if archived:
        planned.append(Planned("timeline_archive", branch.id))
    arguments = {
        "branch_id": branch.id,
        "node_id": branch.node_id,
        "source_node_id": parent.node_id,
        "node_ids": [branch.node_id, parent.node_id],
        "endpoint_id": endpoint.id if endpoint else None,
        "point": point_arguments(point),
        "new_passwords": parent.protected,
        "unarchived_ids": needed.branch_ids,
    }
    kind = "create_structure_only_branch" if structure_only else "create_branch"
    return plane.schedule(branch.project_id, kind, planned, arguments, request.effects)


def _init_source(wanted: Mapping[str, Any]) -> str:
    init_source = text_of(wanted, "init_source") or "parent-data"
    if init_source == "import":
        raise ApiProblem(422, "init_source import is not available in the local sandbox")
    if init_source != "parent-data" and init_source not in STRUCTURE_ONLY:
        raise ApiProblem(400, "invalid request: init_source must be parent-data or schema-only")
    return init_source


def _archived(wanted: Mapping[str, Any], endpoints: Sequence[object]) -> bool:
    archived = flag_of(wanted, "archived") or False
    if archived and endpoints:
        raise ApiProblem(422, "an archived branch can not have a compute")
    return archived


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
    plane: Plane,
    project: Project,
    parent: Branch,
    wanted: Mapping[str, Any],
    init_source: str,
    annotation: dict[str, str],
) -> Branch:
    branch_id = ids.branch_id()
    name = text_of(wanted, "name") or branch_id
    refuse_taken_name(plane, project.id, name)
    is_root = init_source in STRUCTURE_ONLY
    refuse_too_many(plane, project.id, another_root=is_root)
    expires_at = wanted_expiry(plane, wanted)
    protected = flag_of(wanted, "protected") or False
    if protected:
        refuse_another_protected(plane, project.id)
    if protected and expires_at is not None:
        raise ApiProblem(422, "default, protected and parent branches can not expire")
    moment = plane.moment()
    return Branch(
        id=branch_id,
        project_id=project.id,
        name=name,
        node_id=new_node_id(),
        parent_id=None if is_root else parent.id,
        created_at=moment,
        updated_at=moment,
        state_changed_at=moment,
        history_from=moment,
        protected=protected,
        current_state="init",
        pending_state="ready",
        annotation=annotation,
        init_source=init_source,
        expires_at=expires_at,
        ttl_interval_seconds=seconds_until(plane, expires_at) if expires_at else None,
    )


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
        "branch": shapes.branch(branch),
        "endpoints": [shapes.endpoint(endpoint)] if endpoint else [],
        "operations": operations,
        "roles": [shapes.role(role) for role in roles],
        "databases": [shapes.database(database) for database in databases],
    }
    if endpoint is not None and len(roles) == len(databases) == 1:
        uri = plane.connection_uri(endpoint, roles[0], databases[0].name)
        body["connection_uris"] = [shapes.connection_details(uri)]
    return body
