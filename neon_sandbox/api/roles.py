from __future__ import annotations

from dataclasses import asdict, replace

from neon_sandbox.api import shapes
from neon_sandbox.api.branches import find_branch
from neon_sandbox.api.catalog import checked_name, find_role, schedule_change
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.api.rules import new_password
from neon_sandbox.entities import Role
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem


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
        name = checked_name(text_of(wanted, "name"))
        if plane.store.get(Role, f"{branch_id}/{name}"):
            raise ApiProblem(409, "role already exists")
        role = Role(f"{branch_id}/{name}", branch_id, name, new_password(), plane.moment())
        operations = schedule_change(plane, request, branch, "create_role", {"role_id": role.id})
        plane.store.put(role)
    return Reply(201, {"role": shapes.role(role, password=True), "operations": shapes.operations(operations)})


def reset_password(plane: Plane, request: Request, project_id: str, branch_id: str, role_name: str) -> Reply:
    """The answer carries the new password, which PostgreSQL takes when the operation is done."""
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        before = find_role(plane, branch_id, role_name)
        role = replace(before, password=new_password())
        operations = schedule_change(
            plane, request, branch, "reset_password", {"role_id": role.id, "role": asdict(before)}
        )
        plane.store.put(role)
    return Reply(200, {"role": shapes.role(role, password=True), "operations": shapes.operations(operations)})


def delete_role(plane: Plane, request: Request, project_id: str, branch_id: str, role_name: str) -> Reply:
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        role = plane.store.get(Role, f"{branch_id}/{role_name}")
        if role is None:
            return Reply(204)
        owned = [database.name for database in plane.databases(branch_id) if database.owner_name == role.name]
        if owned:
            raise ApiProblem(422, f"the role owns databases ({', '.join(owned)}); give them to another role first")
        operations = schedule_change(plane, request, branch, "delete_role", {"role": asdict(role)})
        plane.store.remove(role)
    return Reply(200, {"role": shapes.role(role), "operations": shapes.operations(operations)})
