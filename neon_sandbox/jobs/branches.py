"""Creating and deleting branches."""

from __future__ import annotations

from collections.abc import Mapping

from neon_sandbox.entities import Job
from neon_sandbox.jobs.archiving import archived
from neon_sandbox.jobs.endpoints import endpoint_active, start_compute
from neon_sandbox.jobs.kind import JobKind, branch_of, endpoint_of, point_of
from neon_sandbox.plane import Plane
from neon_sandbox.storage.base import Fork


def fork_branch(plane: Plane, job: Job) -> None:
    endpoint = endpoint_of(plane, job)
    fork = plane.storage.fork(
        job.arguments["source_node_id"], job.arguments["node_id"], point_of(job), endpoint.port if endpoint else None
    )
    remember_fork(plane, job, fork)
    if job.arguments.get("new_passwords"):
        plane.storage.set_passwords(job.arguments["node_id"], plane.roles(job.arguments["branch_id"]))


def remember_fork(plane: Plane, job: Job, fork: Fork) -> None:
    branch = branch_of(plane, job)
    if branch is not None and branch.parent_id is not None:
        plane.change_branch(branch, parent_lsn=fork.lsn, parent_timestamp=fork.timestamp)


def branch_ready(plane: Plane, job: Job) -> None:
    if branch := branch_of(plane, job):
        plane.change_branch(branch, current_state="ready")


def _fork_out_of_reach(plane: Plane, job: Job) -> None:
    """Without a port: nobody is to see the rows before they are gone."""
    plane.storage.fork(job.arguments["source_node_id"], job.arguments["node_id"], point_of(job), None)
    if job.arguments.get("new_passwords"):
        plane.storage.set_passwords(job.arguments["node_id"], plane.roles(job.arguments["branch_id"]))


def _leave_structure_only(plane: Plane, job: Job) -> None:
    branch = branch_of(plane, job)
    if branch is not None:
        begins = plane.storage.empty_tables(branch.node_id, plane.databases(branch.id))
        plane.change_branch(branch, history_from=plane.clock.now(), history_from_lsn=begins)


def drop_branch(plane: Plane, job: Job) -> None:
    if branch := branch_of(plane, job):
        plane.remove_branch(branch)


def _release_deleted(plane: Plane, job: Job) -> None:
    plane.storage.release(job.arguments["deleted_node_id"])


KINDS: Mapping[str, JobKind] = {
    "create_branch": JobKind(
        work={"create_branch": fork_branch, "start_compute": start_compute},
        settle={"create_branch": branch_ready, "start_compute": endpoint_active, "timeline_archive": archived},
        undo=drop_branch,
    ),
    "create_structure_only_branch": JobKind(
        work={
            "create_branch": _fork_out_of_reach,
            "apply_schema_from_branch": _leave_structure_only,
            "start_compute": start_compute,
        },
        settle={
            "apply_schema_from_branch": branch_ready,
            "start_compute": endpoint_active,
            "timeline_archive": archived,
        },
        undo=drop_branch,
    ),
    # The rows of a deleted branch are gone already.
    "delete_branch": JobKind(work={"delete_timeline": _release_deleted}),
}
