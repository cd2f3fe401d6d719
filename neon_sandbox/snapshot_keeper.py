"""What happens to snapshots and to branches made of them without anybody calling: expiry and detaching."""

from __future__ import annotations

from datetime import timedelta

from neon_sandbox.entities import Branch, Snapshot
from neon_sandbox.plane import Plane, Planned


def remove_expired(plane: Plane) -> None:
    """Quietly: unlike a deletion that somebody asked for, it is no operation and locks nobody out."""
    now = plane.clock.now()
    with plane.store.transaction():
        expired = plane.store.find(Snapshot, lambda s: s.ready and s.expires_at is not None and s.expires_at <= now)
        for snapshot in expired:
            plane.store.remove(snapshot)
    if expired:
        plane.collect()


def detach_restored(plane: Plane) -> None:
    """Once for each branch made of a snapshot, some time after it was made or finalized, when the project is idle."""
    settings = plane.settings
    if settings.detach_after_seconds is None:
        return
    before = plane.clock.now() - timedelta(seconds=settings.detach_after_seconds)
    with plane.store.transaction():
        for branch in plane.store.find(Branch, _waits_for_detaching):
            if (branch.finalized_at or branch.created_at) <= before and not plane.locked(branch.project_id):
                _detach(plane, branch, settings.detach_failure)


def _waits_for_detaching(branch: Branch) -> bool:
    return branch.restored_from is not None and not branch.detached and branch.current_state == "ready"


def _detach(plane: Plane, branch: Branch, failure: object) -> None:
    planned = [Planned("detach_parent_branch", branch.id)]
    arguments = {"branch_id": branch.id, "node_ids": [branch.node_id], "status_before": branch.restore_status}
    plane.schedule(branch.project_id, "detach_branch", planned, arguments, {"failure": failure})
    plane.change_branch(branch, restore_status="detaching")
