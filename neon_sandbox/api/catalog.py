"""What roles, databases and connection strings have in common, and the strings to connect with."""

from __future__ import annotations

import re
from typing import Any

from neon_sandbox import catalog_history, problems
from neon_sandbox.api.branches import find_branch
from neon_sandbox.api.endpoints import find_endpoint
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request
from neon_sandbox.entities import Branch, Database, Endpoint, Operation, Role
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.problems import ApiProblem


def connection_uri(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    database_name, role_name = request.query.get("database_name"), request.query.get("role_name")
    if not database_name or not role_name:
        raise ApiProblem(400, "invalid request: database_name and role_name are required")
    endpoint = _chosen_endpoint(plane, request, project_id)
    role = find_role(plane, endpoint.branch_id, role_name)
    find_database(plane, endpoint.branch_id, database_name)
    return Reply(200, {"uri": plane.connection_uri(endpoint, role, database_name)})


def find_role(plane: Plane, branch_id: str, name: str) -> Role:
    found = plane.store.get(Role, f"{branch_id}/{name}")
    if found is None:
        raise problems.not_found("role")
    return found


def find_database(plane: Plane, branch_id: str, name: str) -> Database:
    found = plane.store.get(Database, f"{branch_id}/{name}")
    if found is None:
        raise problems.not_found("database")
    return found


def next_database_number(plane: Plane) -> int:
    return 1 + max((database.number for database in plane.store.find(Database)), default=1000)


def _chosen_endpoint(plane: Plane, request: Request, project_id: str) -> Endpoint:
    if endpoint_id := request.query.get("endpoint_id"):
        return find_endpoint(plane, project_id, endpoint_id)
    branch_id = request.query.get("branch_id")
    branch = find_branch(plane, project_id, branch_id) if branch_id else _default_branch(plane, project_id)
    endpoint = plane.endpoint_of(branch.id)
    if endpoint is None:
        raise problems.not_found("read-write endpoint of the branch")
    return endpoint


def _default_branch(plane: Plane, project_id: str) -> Branch:
    return next(branch for branch in plane.branches(project_id) if branch.default)


def schedule_change(
    plane: Plane, request: Request, branch: Branch, kind: str, arguments: dict[str, Any]
) -> list[Operation]:
    """A change of roles or databases: one apply_config on the branch's data. To be called before the change."""
    catalog_history.note_beginning(plane.store, branch.id, branch.history_from)
    arguments = {"branch_id": branch.id, "node_id": branch.node_id, "node_ids": [branch.node_id], **arguments}
    return plane.schedule(branch.project_id, kind, [Planned("apply_config", branch.id)], arguments, request.effects)


def checked_name(name: str | None) -> str:
    if name is None or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", name):
        raise ApiProblem(400, "invalid request: name must have 1 to 63 letters, digits, _ or -")
    return name
