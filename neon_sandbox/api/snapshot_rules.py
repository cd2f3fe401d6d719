"""What is refused about snapshots, and what a restore from one takes away for a while."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta

from neon_sandbox import times
from neon_sandbox.entities import Branch, Snapshot
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem

LONGEST_NAME = 256
NO_RESET_FOR = timedelta(hours=24)
STILL_ONGOING = "restore from snapshot on target branch is still ongoing"
_SLUG = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def refuse_child(branch: Branch) -> None:
    if branch.parent_id is not None:
        raise ApiProblem(422, "snapshots can be created from root branches only")


def refuse_taken_snapshot_name(plane: Plane, project_id: str, name: str, *, but: Snapshot | None = None) -> None:
    if len(name) > LONGEST_NAME:
        raise ApiProblem(400, f"invalid request: name must have 1 to {LONGEST_NAME} characters")
    for snapshot in plane.snapshots(project_id):
        if snapshot.name == name and (but is None or snapshot.id != but.id):
            raise ApiProblem(409, "a snapshot with the provided name already exists")


def refuse_bad_slug(plane: Plane, project_id: str, slug: str) -> None:
    if not _SLUG.fullmatch(slug):
        raise ApiProblem(400, f"invalid request: slug must match ^{_SLUG.pattern}$")
    if any(snapshot.slug == slug for snapshot in plane.snapshots(project_id)):
        raise ApiProblem(409, "a snapshot with the provided slug already exists")


def refuse_too_many_snapshots(plane: Plane, project_id: str) -> None:
    """Those that a schedule took do not count."""
    if sum(snapshot.manual for snapshot in plane.snapshots(project_id)) >= plane.snapshot_cap():
        raise ApiProblem(422, "snapshots limit exceeded", "SNAPSHOTS_LIMIT_EXCEEDED")


def wanted_snapshot_expiry(plane: Plane, text: object) -> datetime | None:
    """In the future; unlike a branch's, as far as one likes."""
    if text is None:
        return None
    expires_at = times.parse_time(text, "expires_at").replace(microsecond=0)
    if expires_at <= plane.clock.now():
        raise ApiProblem(400, "expires_at must be in the future")
    return expires_at


def refuse_history_of_restored(source: Branch) -> None:
    """Neon restores no branch to a point in the history of one that came out of a snapshot."""
    if source.restored_from is not None:
        raise ApiProblem(422, STILL_ONGOING)


def refuse_reset_after_snapshot_restore(plane: Plane, child: Branch) -> None:
    """For a day after a restore, children of the new branch and of the replaced one can not be reset."""
    since = plane.clock.now() - NO_RESET_FOR
    for branch in plane.branches(child.project_id):
        concerned = (
            branch.restored_from is not None and branch.id == child.parent_id,
            branch.finalized_at is not None and branch.restored_as == child.parent_id,
        )
        if any(concerned) and (branch.finalized_at or branch.created_at) > since:
            raise ApiProblem(
                422,
                "reset from parent is not available for up to 24 hours after the parent was restored from a snapshot",
            )


def free_name(taken: Collection[str], wished: str) -> str:
    """The wished name, with a number when it is taken."""
    number = 1
    name = wished
    while name in taken:
        number += 1
        name = f"{wished} {number}"
    return name
