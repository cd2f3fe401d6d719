"""The work behind calls about a whole project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from neon_sandbox.entities import Branch, Job, Operation
from neon_sandbox.jobs.branches import branch_ready
from neon_sandbox.jobs.endpoints import endpoint_active, start_compute
from neon_sandbox.jobs.kind import JobKind
from neon_sandbox.plane import Plane


def _create_first(plane: Plane, job: Job) -> None:
    branch = plane.store.must(Branch, job.arguments["branch_id"])
    restorable_from = plane.storage.create_first(branch.node_id, plane.roles(branch.id), plane.databases(branch.id))
    with plane.store.transaction():
        branch = plane.store.must(Branch, branch.id)
        plane.store.put(replace(branch, history_from=max(branch.created_at, restorable_from)))


def _release_all(plane: Plane, job: Job) -> None:
    for node_id in job.arguments["released_node_ids"]:
        plane.storage.release(node_id)


def _forget_operations(plane: Plane, job: Job) -> None:
    for operation in plane.store.find_by(Operation, "project_id", job.project_id):
        plane.store.remove(operation)


KINDS: Mapping[str, JobKind] = {
    "create_project": JobKind(
        work={"create_timeline": _create_first, "start_compute": start_compute},
        settle={"create_timeline": branch_ready, "start_compute": endpoint_active},
    ),
    # What changes is remembered when the call is accepted: the operation only takes its time.
    "update_project": JobKind(),
    "delete_project": JobKind(work={"delete_timeline": _release_all}, finish=_forget_operations),
}
