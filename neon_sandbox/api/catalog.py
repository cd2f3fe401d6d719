"""Databases, roles and the strings to connect with."""

from __future__ import annotations

import re

from neon_sandbox import problems
from neon_sandbox.api import shapes
from neon_sandbox.api.branches import find_branch
from neon_sandbox.api.endpoints import find_endpoint
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.api.rules import new_password
from neon_sandbox.entities import Branch, Database, Endpoint, Role
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.problems import ApiProblem


def list_databases(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    find_branch(plane, project_id, branch_id)
    return Reply(200, {"databases": [shapes.database(database) for database in plane.databases(branch_id)]})


def list_roles(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    find_branch(plane, project_id, branch_id)
    return Reply(200, {"roles": [shapes.role(role) for role in plane.roles(branch_id)]})


def get_role(plane: Plane, request: Request, project_id: str, branch_id: str, role_name: str) -> Reply:
    find_branch(plane, project_id, branch_id)
    return Reply(200, {"role": shapes.role(find_role(plane, branch_id, role_name))})


def reveal_password(plane: Plane, request: Request, project_id: str, branch_id: str, role_name: str) -> Reply:
    find_branch(plane, project_id, branch_id)
    return Reply(200, {"password": find_role(plane, branch_id, role_name).password})


def create_role(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    wanted = request.part("role", required=True)
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        name = _name(text_of(wanted, "name"))
        if plane.store.get(Role, f"{branch_id}/{name}"):
            raise ApiProblem(409, "role already exists")
        role = Role(f"{branch_id}/{name}", branch_id, name, new_password(), plane.moment())
        operations = plane.schedule(
            project_id,
            "create_role",
            [Planned("apply_config", branch_id)],
            {"node_id": branch.node_id, "node_ids": [branch.node_id], "role_id": role.id},
            request.effects,
        )
        plane.store.put(role)
    return Reply(201, {"role": shapes.role(role, password=True), "operations": shapes.operations(operations)})


def create_database(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    wanted = request.part("database", required=True)
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        name = _name(text_of(wanted, "name"))
        owner = find_role(plane, branch_id, text_of(wanted, "owner_name") or "")
        if plane.store.get(Database, f"{branch_id}/{name}"):
            raise ApiProblem(409, "database already exists")
        database = Database(
            f"{branch_id}/{name}", branch_id, next_database_number(plane), name, owner.name, plane.moment()
        )
        operations = plane.schedule(
            project_id,
            "create_database",
            [Planned("apply_config", branch_id)],
            {"node_id": branch.node_id, "node_ids": [branch.node_id], "database_id": database.id},
            request.effects,
        )
        plane.store.put(database)
    return Reply(201, {"database": shapes.database(database), "operations": shapes.operations(operations)})


def connection_uri(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    database_name, role_name = request.query.get("database_name"), request.query.get("role_name")
    if not database_name or not role_name:
        raise ApiProblem(400, "invalid request: database_name and role_name are required")
    endpoint = _chosen_endpoint(plane, request, project_id)
    role = find_role(plane, endpoint.branch_id, role_name)
    if plane.store.get(Database, f"{endpoint.branch_id}/{database_name}") is None:
        raise problems.not_found("database")
    return Reply(200, {"uri": plane.connection_uri(endpoint, role, database_name)})


def find_role(plane: Plane, branch_id: str, name: str) -> Role:
    found = plane.store.get(Role, f"{branch_id}/{name}")
    if found is None:
        raise problems.not_found("role")
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


def _name(name: str | None) -> str:
    if name is None or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", name):
        raise ApiProblem(400, "invalid request: name must have 1 to 63 letters, digits, _ or -")
    return name
