"""Roles and databases."""

from __future__ import annotations

from collections.abc import Mapping

from neon_sandbox import catalog_history
from neon_sandbox.entities import Database, Job, Role
from neon_sandbox.jobs.kind import JobKind, Step
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


def _kind(work: Step, undo: Step) -> JobKind:
    """Before the change is made in PostgreSQL, the branch's catalog is noted as it is from now on."""

    def noted(step: Step) -> Step:
        def perform(plane: Plane, job: Job) -> None:
            catalog_history.note(plane.store, job.arguments["branch_id"], plane.moment())
            step(plane, job)

        return perform

    def undo_and_note(plane: Plane, job: Job) -> None:
        undo(plane, job)
        catalog_history.note(plane.store, job.arguments["branch_id"], plane.moment())

    return JobKind(work={"apply_config": noted(work)}, undo=undo_and_note)


KINDS: Mapping[str, JobKind] = {
    "create_role": _kind(_create_role, _drop_created),
    "create_database": _kind(_create_database, _drop_created),
    "delete_role": _kind(_drop_role, _role_as_before),
    "reset_password": _kind(_reset_password, _role_as_before),
    "delete_database": _kind(_drop_database, _database_as_before),
    "update_database": _kind(_change_database, _database_as_before),
}
