"""Restoring in place: the new data are made while the old ones still serve; then the port changes hands."""

from __future__ import annotations

from collections.abc import Mapping

from neon_sandbox import catalog_history
from neon_sandbox.entities import Branch, CatalogState, Job
from neon_sandbox.jobs.branches import branch_ready, remember_fork
from neon_sandbox.jobs.endpoints import endpoint_as_before, serve_old_data_again, swap
from neon_sandbox.jobs.kind import JobKind, branch_of, endpoint_of, point_of
from neon_sandbox.plane import Plane


def _fork_for_restore(plane: Plane, job: Job) -> None:
    fork = plane.storage.fork(job.arguments["source_node_id"], job.arguments["node_id"], point_of(job), None)
    remember_fork(plane, job, fork)


def _restored(plane: Plane, job: Job) -> None:
    branch_ready(plane, job)
    preserved = plane.store.get(Branch, job.arguments.get("preserved_id") or "")
    if preserved is not None:
        plane.change_branch(preserved, current_state="ready")


def _take_back_restore(plane: Plane, job: Job) -> None:
    """The data could not be made: the branch keeps the old ones, under its own name and with its children."""
    arguments = job.arguments
    preserved = plane.store.get(Branch, arguments.get("preserved_id") or "")
    if preserved is not None:
        for child in plane.children(preserved.id):
            plane.change_branch(child, parent_id=arguments["branch_id"])
        plane.remove_branch(preserved)
    if branch := branch_of(plane, job):
        plane.change_branch(branch, node_id=arguments["old_node_id"], current_state="ready", **arguments["before"])
        before = arguments["catalog_before"]
        catalog_history.replace_catalog(plane.store, branch.id, catalog_history.revived(before))
        states = [CatalogState(**state) for state in before.get("states", ())]
        catalog_history.replace_history(plane.store, branch.id, states)
    if endpoint := endpoint_of(plane, job):
        plane.change_endpoint(endpoint, node_id=arguments["old_node_id"])
        endpoint_as_before(plane, job)


KINDS: Mapping[str, JobKind] = {
    "restore_branch": JobKind(
        work={"create_branch": _fork_for_restore, "start_compute": swap, "apply_config": swap},
        settle={"start_compute": endpoint_as_before, "apply_config": endpoint_as_before},
        finish=_restored,
        undo_work=serve_old_data_again,
        undo=_take_back_restore,
    ),
}
