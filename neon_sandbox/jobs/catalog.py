"""Roles and databases."""

from __future__ import annotations

from collections.abc import Mapping

from neon_sandbox.entities import Database, Job, Role
from neon_sandbox.jobs.kind import JobKind
from neon_sandbox.plane import Plane


def _create_role(plane: Plane, job: Job) -> None:
    plane.storage.create_role(job.arguments["node_id"], plane.store.must(Role, job.arguments["role_id"]))


def _create_database(plane: Plane, job: Job) -> None:
    plane.storage.create_database(job.arguments["node_id"], plane.store.must(Database, job.arguments["database_id"]))


def _drop_created(plane: Plane, job: Job) -> None:
    if role := plane.store.get(Role, job.arguments.get("role_id") or ""):
        plane.store.remove(role)
    if database := plane.store.get(Database, job.arguments.get("database_id") or ""):
        plane.store.remove(database)


def _drop_role(plane: Plane, job: Job) -> None:
    plane.storage.drop_role(job.arguments["node_id"], Role(**job.arguments["role"]))


def _reset_password(plane: Plane, job: Job) -> None:
    role = plane.store.must(Role, job.arguments["role_id"])
    plane.storage.set_passwords(job.arguments["node_id"], [role])
    plane.storage.cut_sessions(job.arguments["node_id"])


def _role_as_before(plane: Plane, job: Job) -> None:
    plane.store.put(Role(**job.arguments["role"]))


def _drop_database(plane: Plane, job: Job) -> None:
    plane.storage.drop_database(job.arguments["node_id"], Database(**job.arguments["database"]))


def _change_database(plane: Plane, job: Job) -> None:
    before = Database(**job.arguments["database"])
    plane.storage.change_database(
        job.arguments["node_id"], before.name, plane.store.must(Database, job.arguments["database_id"])
    )


def _database_as_before(plane: Plane, job: Job) -> None:
    if changed := plane.store.get(Database, job.arguments.get("database_id") or ""):
        plane.store.remove(changed)
    plane.store.put(Database(**job.arguments["database"]))


KINDS: Mapping[str, JobKind] = {
    "create_role": JobKind(work={"apply_config": _create_role}, undo=_drop_created),
    "create_database": JobKind(work={"apply_config": _create_database}, undo=_drop_created),
    "delete_role": JobKind(work={"apply_config": _drop_role}, undo=_role_as_before),
    "reset_password": JobKind(work={"apply_config": _reset_password}, undo=_role_as_before),
    "delete_database": JobKind(work={"apply_config": _drop_database}, undo=_database_as_before),
    "update_database": JobKind(work={"apply_config": _change_database}, undo=_database_as_before),
}
