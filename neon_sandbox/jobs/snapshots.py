"""Taking and deleting snapshots, and putting a branch made of one in the place of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from neon_sandbox.entities import BackupSchedule, Branch, Endpoint, Job, Snapshot
from neon_sandbox.jobs.branches import branch_ready, drop_branch
from neon_sandbox.jobs.endpoints import endpoint_as_before, serve_old_data_again, swap
from neon_sandbox.jobs.kind import JobKind, branch_of, endpoint_of, point_of
from neon_sandbox.plane import Plane


def _snapshot_of(plane: Plane, job: Job) -> Snapshot | None:
    return plane.store.get(Snapshot, job.arguments["snapshot_id"])


# Taking one


def _take(plane: Plane, job: Job) -> None:
    snapshot = _snapshot_of(plane, job)
    if snapshot is None:
        return
    point = point_of(job)
    fork = plane.storage.snapshot(job.arguments["source_node_id"], snapshot.node_id, point)
    snapshot = replace(snapshot, timestamp=point.timestamp or fork.timestamp, lsn=point.lsn or fork.lsn)
    plane.store.put(_measured(plane, job, snapshot))


def _measured(plane: Plane, job: Job, snapshot: Snapshot) -> Snapshot:
    """In full, except that a scheduled one counts only what came since the scheduled one before it."""
    full_size = plane.storage.size_bytes(snapshot.node_id)
    before = _scheduled_before(plane, snapshot)
    if before is None or before.timestamp is None:
        return replace(snapshot, full_size_bytes=full_size)
    written = plane.storage.history_bytes(job.arguments["source_node_id"], before.timestamp)
    return replace(snapshot, diff_size_bytes=min(written, full_size))


def _scheduled_before(plane: Plane, snapshot: Snapshot) -> Snapshot | None:
    if snapshot.manual:
        return None
    found = [
        other
        for other in plane.snapshots(snapshot.project_id)
        if other.source_branch_id == snapshot.source_branch_id and other.ready and not other.manual
    ]
    return found[-1] if found else None


def _snapshot_ready(plane: Plane, job: Job) -> None:
    if snapshot := _snapshot_of(plane, job):
        plane.store.put(replace(snapshot, ready=True))


def _drop_snapshot(plane: Plane, job: Job) -> None:
    if snapshot := _snapshot_of(plane, job):
        plane.store.remove(snapshot)


# Replacing a branch. The old data are untouched; name, compute and the rest change hands in the last transaction.


def _fork_snapshot(plane: Plane, job: Job) -> None:
    """Without a port: the compute that will serve it still serves the branch to be replaced."""
    plane.storage.fork(job.arguments["source_node_id"], job.arguments["node_id"], point_of(job), None)


def _suspend_spare(plane: Plane, job: Job) -> None:
    if spare := _spare(plane, job):
        plane.storage.release(spare.node_id)


def _spare_idle(plane: Plane, job: Job) -> None:
    # Removed at the very end only: a restore that is taken back leaves the preview its compute.
    if spare := _spare(plane, job):
        plane.change_endpoint(spare, current_state="idle", pending_state=None, suspended_at=plane.moment())


def _spare(plane: Plane, job: Job) -> Endpoint | None:
    return plane.store.get(Endpoint, job.arguments.get("spare_endpoint_id") or "")


def _replace(plane: Plane, job: Job) -> None:
    """The target's children and its snapshots stay with it: their history is there."""
    branch, target = branch_of(plane, job), plane.store.get(Branch, job.arguments["target_id"])
    if branch is None or target is None:
        return
    default, protected = branch.default or target.default, branch.protected or target.protected
    expires = not (default or protected)
    plane.change_branch(
        branch,
        name=target.name,
        default=default,
        protected=protected,
        original_root=target.original_root,
        expires_at=target.expires_at if expires else None,
        ttl_interval_seconds=target.ttl_interval_seconds if expires else None,
        current_state="ready",
        restore_status="finalized",
        finalized_at=plane.clock.now(),
    )
    plane.change_branch(
        target,
        name=job.arguments["old_name"],
        default=False,
        protected=False,
        original_root=False,
        expires_at=None,
        ttl_interval_seconds=None,
    )
    _move_compute(plane, job, branch)
    _move_schedule(plane, target, branch)


def _move_compute(plane: Plane, job: Job, branch: Branch) -> None:
    if endpoint := endpoint_of(plane, job):
        plane.change_endpoint(endpoint, branch_id=branch.id)
    if spare := _spare(plane, job):
        plane.store.remove(spare)


def _move_schedule(plane: Plane, target: Branch, branch: Branch) -> None:
    if schedule := plane.store.get(BackupSchedule, target.id):
        plane.store.remove(schedule)
        plane.store.put(replace(schedule, id=branch.id))


def _take_back(plane: Plane, job: Job) -> None:
    """The target keeps its compute and its name; a branch made for this restore goes."""
    if endpoint := endpoint_of(plane, job):
        plane.change_endpoint(endpoint, node_id=job.arguments["old_node_id"])
        endpoint_as_before(plane, job)
    if job.arguments.get("made_here"):
        drop_branch(plane, job)


def _detached(plane: Plane, job: Job) -> None:
    """Also when it failed: it is tried once, and the branch serves all the same."""
    if branch := branch_of(plane, job):
        plane.change_branch(branch, restore_status=job.arguments["status_before"], detached=True)


KINDS: Mapping[str, JobKind] = {
    "create_snapshot": JobKind(work={"create_timeline": _take}, finish=_snapshot_ready, undo=_drop_snapshot),
    "delete_snapshot": JobKind(),
    "detach_branch": JobKind(finish=_detached, undo=_detached),
    "replace_branch": JobKind(
        work={
            "create_branch": _fork_snapshot,
            "suspend_compute": _suspend_spare,
            "start_compute": swap,
            "apply_config": swap,
        },
        settle={
            "create_branch": branch_ready,
            "suspend_compute": _spare_idle,
            "start_compute": endpoint_as_before,
            "apply_config": endpoint_as_before,
        },
        finish=_replace,
        undo_work=serve_old_data_again,
        undo=_take_back,
    ),
}
