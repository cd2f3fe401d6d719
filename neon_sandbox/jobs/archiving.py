"""Archived and back. No data move."""

from __future__ import annotations

from collections.abc import Mapping

from neon_sandbox.entities import Branch, Job
from neon_sandbox.jobs.kind import JobKind, branch_of
from neon_sandbox.plane import Plane


def archived(plane: Plane, job: Job) -> None:
    if branch := branch_of(plane, job):
        plane.change_branch(branch, current_state="archived")


def brought_back(plane: Plane, job: Job) -> None:
    """For the first of the operations all branches of the job come back; the others find nothing to do."""
    for branch_id in job.arguments["unarchived_ids"]:
        branch = plane.store.get(Branch, branch_id)
        if branch is not None and branch.current_state == "archived":
            plane.change_branch(branch, current_state="ready")


def _still_in_use(plane: Plane, job: Job) -> None:
    if branch := branch_of(plane, job):
        plane.change_branch(branch, pending_state=None)


KINDS: Mapping[str, JobKind] = {
    "archive_branch": JobKind(settle={"timeline_archive": archived}, undo=_still_in_use),
    "unarchive_branch": JobKind(settle={"timeline_unarchive": brought_back}),
}
