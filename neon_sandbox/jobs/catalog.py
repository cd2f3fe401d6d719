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


KINDS: Mapping[str, JobKind] = {
    "create_role": JobKind(work={"apply_config": _create_role}, undo=_drop_created),
    "create_database": JobKind(work={"apply_config": _create_database}, undo=_drop_created),
}
