"""What happens behind each accepted call. Work may be repeated after a kill, so each step looks before it acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from neon_sandbox.entities import Branch, Database, Endpoint, Job, Role
from neon_sandbox.plane import Plane
from neon_sandbox.storage.base import Fork, Point

Step = Callable[[Plane, Job], None]


def _nothing(plane: Plane, job: Job) -> None:
    pass


@dataclass(frozen=True)
class JobKind:
    """Per action: slow `work`, then `settle` in the transaction that finishes the operation. `undo` likewise."""

    work: Mapping[str, Step] = field(default_factory=dict)
    settle: Mapping[str, Step] = field(default_factory=dict)
    finish: Step = _nothing
    undo_work: Step = _nothing
    undo: Step = _nothing


def point_arguments(point: Point) -> dict[str, Any]:
    return {"timestamp": point.timestamp, "lsn": point.lsn}


def _point(job: Job) -> Point:
    return Point(**job.arguments["point"])


def _branch(plane: Plane, job: Job) -> Branch | None:
    return plane.store.get(Branch, job.arguments["branch_id"])


def _endpoint(plane: Plane, job: Job) -> Endpoint | None:
    return plane.store.get(Endpoint, job.arguments.get("endpoint_id") or "")


# Creating a branch


def _fork_branch(plane: Plane, job: Job) -> None:
    endpoint = _endpoint(plane, job)
    fork = plane.storage.fork(
        job.arguments["source_node_id"], job.arguments["node_id"], _point(job), endpoint.port if endpoint else None
    )
    _remember_fork(plane, job, fork)
    if job.arguments.get("new_passwords"):
        plane.storage.set_passwords(job.arguments["node_id"], plane.roles(job.arguments["branch_id"]))


def _remember_fork(plane: Plane, job: Job, fork: Fork) -> None:
    branch = _branch(plane, job)
    if branch is not None and branch.parent_id is not None:
        plane.change_branch(branch, parent_lsn=fork.lsn, parent_timestamp=fork.timestamp)


def _branch_ready(plane: Plane, job: Job) -> None:
    if branch := _branch(plane, job):
        plane.change_branch(branch, current_state="ready")


def _drop_branch(plane: Plane, job: Job) -> None:
    if branch := _branch(plane, job):
        plane.remove_branch(branch)


# Endpoints


def _start(plane: Plane, job: Job) -> None:
    if endpoint := _endpoint(plane, job):
        plane.storage.serve(endpoint.node_id, endpoint.port)


def _endpoint_active(plane: Plane, job: Job) -> None:
    if endpoint := _endpoint(plane, job):
        plane.change_endpoint(
            endpoint, current_state="active", pending_state=None, started_at=plane.moment(), suspended_at=None
        )


def _suspend(plane: Plane, job: Job) -> None:
    if endpoint := _endpoint(plane, job):
        plane.storage.release(endpoint.node_id)


def _endpoint_idle(plane: Plane, job: Job) -> None:
    if endpoint := _endpoint(plane, job):
        plane.change_endpoint(endpoint, current_state="idle", pending_state=None, suspended_at=plane.moment())


def _endpoint_settled_again(plane: Plane, job: Job) -> None:
    if endpoint := _endpoint(plane, job):
        plane.change_endpoint(endpoint, current_state=job.arguments.get("state_before", "idle"), pending_state=None)


# Restoring in place: the new data are made while the old ones still serve; then the port changes hands.


def _fork_for_restore(plane: Plane, job: Job) -> None:
    fork = plane.storage.fork(job.arguments["source_node_id"], job.arguments["node_id"], _point(job), None)
    _remember_fork(plane, job, fork)


def _swap(plane: Plane, job: Job) -> None:
    endpoint = _endpoint(plane, job)
    if endpoint is None:
        return
    plane.storage.prepare_to_release(job.arguments["old_node_id"])
    plane.storage.release(job.arguments["old_node_id"])
    endpoint = plane.change_endpoint(endpoint, node_id=job.arguments["node_id"])
    if job.arguments["was_active"]:
        plane.storage.serve(endpoint.node_id, endpoint.port)


def _endpoint_as_before(plane: Plane, job: Job) -> None:
    endpoint = _endpoint(plane, job)
    if endpoint is None:
        return
    active = job.arguments["was_active"]
    state = "active" if active else "idle"
    started_at = plane.moment() if active else endpoint.started_at
    plane.change_endpoint(endpoint, current_state=state, pending_state=None, started_at=started_at)


def _restored(plane: Plane, job: Job) -> None:
    _branch_ready(plane, job)
    preserved = plane.store.get(Branch, job.arguments.get("preserved_id") or "")
    if preserved is not None:
        plane.change_branch(preserved, current_state="ready")


def _serve_old_data_again(plane: Plane, job: Job) -> None:
    endpoint = _endpoint(plane, job)
    if endpoint is not None and job.arguments["was_active"]:
        plane.storage.release(job.arguments["node_id"])
        plane.storage.serve(job.arguments["old_node_id"], endpoint.port)


def _take_back_restore(plane: Plane, job: Job) -> None:
    """The data could not be made: the branch keeps the old ones, under its own name and with its children."""
    arguments = job.arguments
    preserved = plane.store.get(Branch, arguments.get("preserved_id") or "")
    if preserved is not None:
        for child in plane.children(preserved.id):
            plane.change_branch(child, parent_id=arguments["branch_id"])
        plane.remove_branch(preserved)
    if branch := _branch(plane, job):
        plane.change_branch(branch, node_id=arguments["old_node_id"], current_state="ready", **arguments["before"])
        _restore_catalog(plane, branch.id, arguments["catalog_before"])
    if endpoint := _endpoint(plane, job):
        plane.change_endpoint(endpoint, node_id=arguments["old_node_id"])
        _endpoint_as_before(plane, job)


def _restore_catalog(plane: Plane, branch_id: str, before: Mapping[str, Any]) -> None:
    for entity in plane.catalog(branch_id):
        plane.store.remove(entity)
    for role in before["roles"]:
        plane.store.put(Role(**role))
    for database in before["databases"]:
        plane.store.put(Database(**database))


# Deleting a branch; its rows are gone already


def _release_deleted(plane: Plane, job: Job) -> None:
    plane.storage.release(job.arguments["deleted_node_id"])


# Roles and databases


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
    "create_branch": JobKind(
        work={"create_branch": _fork_branch, "start_compute": _start},
        settle={"create_branch": _branch_ready, "start_compute": _endpoint_active},
        undo=_drop_branch,
    ),
    "restore_branch": JobKind(
        work={"create_branch": _fork_for_restore, "start_compute": _swap, "apply_config": _swap},
        settle={"start_compute": _endpoint_as_before, "apply_config": _endpoint_as_before},
        finish=_restored,
        undo_work=_serve_old_data_again,
        undo=_take_back_restore,
    ),
    "delete_branch": JobKind(work={"delete_timeline": _release_deleted}),
    "start_endpoint": JobKind(
        work={"start_compute": _start}, settle={"start_compute": _endpoint_active}, undo=_endpoint_settled_again
    ),
    "suspend_endpoint": JobKind(
        work={"suspend_compute": _suspend}, settle={"suspend_compute": _endpoint_idle}, undo=_endpoint_settled_again
    ),
    "create_role": JobKind(work={"apply_config": _create_role}, undo=_drop_created),
    "create_database": JobKind(work={"apply_config": _create_database}, undo=_drop_created),
    "foreign": JobKind(),
}
