from __future__ import annotations

from dataclasses import asdict, replace

from neon_sandbox.api import shapes
from neon_sandbox.api.branches import find_branch
from neon_sandbox.api.catalog import checked_name, find_database, find_role, next_database_number, schedule_change
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.entities import Database
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem


def list_databases(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    find_branch(plane, project_id, branch_id)
    return Reply(200, {"databases": [shapes.database(database) for database in plane.databases(branch_id)]})


def get_database(plane: Plane, request: Request, project_id: str, branch_id: str, database_name: str) -> Reply:
    find_branch(plane, project_id, branch_id)
    return Reply(200, {"database": shapes.database(find_database(plane, branch_id, database_name))})


def create_database(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    wanted = request.part("database", required=True)
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        name = checked_name(text_of(wanted, "name"))
        owner = find_role(plane, branch_id, text_of(wanted, "owner_name") or "")
        _refuse_taken(plane, branch_id, name)
        database = Database(
            f"{branch_id}/{name}", branch_id, next_database_number(plane), name, owner.name, plane.moment()
        )
        operations = schedule_change(plane, request, branch, "create_database", {"database_id": database.id})
        plane.store.put(database)
    return Reply(201, {"database": shapes.database(database), "operations": shapes.operations(operations)})


def update_database(plane: Plane, request: Request, project_id: str, branch_id: str, database_name: str) -> Reply:
    wanted = request.part("database", required=True)
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        before = find_database(plane, branch_id, database_name)
        name = checked_name(text_of(wanted, "name") or before.name)
        owner = find_role(plane, branch_id, text_of(wanted, "owner_name") or before.owner_name)
        if name != before.name:
            _refuse_taken(plane, branch_id, name)
        database = replace(before, id=f"{branch_id}/{name}", name=name, owner_name=owner.name)
        arguments = {"database_id": database.id, "database": asdict(before)}
        operations = schedule_change(plane, request, branch, "update_database", arguments)
        plane.store.remove(before)
        plane.store.put(database)
    return Reply(200, {"database": shapes.database(database), "operations": shapes.operations(operations)})


def delete_database(plane: Plane, request: Request, project_id: str, branch_id: str, database_name: str) -> Reply:
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        database = plane.store.get(Database, f"{branch_id}/{database_name}")
        if database is None:
            return Reply(204)
        operations = schedule_change(plane, request, branch, "delete_database", {"database": asdict(database)})
        plane.store.remove(database)
    return Reply(200, {"database": shapes.database(database), "operations": shapes.operations(operations)})


def _refuse_taken(plane: Plane, branch_id: str, name: str) -> None:
    if plane.store.get(Database, f"{branch_id}/{name}"):
        raise ApiProblem(409, "database already exists")
