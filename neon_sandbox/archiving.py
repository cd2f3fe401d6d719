"""The archived state: branches that nobody used on the Free plan, and their way back when somebody does.

Nothing moves: an archived branch keeps its data where they are, as queryable and as large as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from neon_sandbox.entities import Branch
from neon_sandbox.plane import Plane, Planned

ARCHIVING_PLANS = frozenset({"free"})
OLD = timedelta(days=14)
UNUSED = timedelta(hours=24)


@dataclass(frozen=True)
class Access:
    """What has to happen before a branch can be used: operations to go first, and the branches they bring back."""

    planned: list[Planned]
    branch_ids: list[str]


def access(plane: Plane, *branches: Branch) -> Access:
    """Notes that the branches are used. Those that are archived come back, the oldest ancestor first.

    Part of the caller's transaction; the caller schedules what is planned in front of its own operations.
    """
    back: list[Branch] = []
    for branch in branches:
        current = plane.store.must(Branch, branch.id)
        plane.store.put(replace(current, accessed_at=plane.clock.now()))
        back += [other for other in reversed(_lineage(plane, current)) if other.current_state == "archived"]
    unique = list({branch.id: branch for branch in back}.values())
    for branch in unique:
        plane.change_branch(plane.store.must(Branch, branch.id), pending_state="ready")
    return Access(
        planned=[Planned("timeline_unarchive", branch.id) for branch in unique],
        branch_ids=[branch.id for branch in unique],
    )


def bring_back_for_reading(plane: Plane, branch: Branch) -> None:
    """For calls that change nothing and answer at once: the way back happens behind them."""
    with plane.store.transaction():
        if branch.current_state != "archived" or plane.locked(branch.project_id):
            return
        needed = access(plane, branch)
        plane.schedule(branch.project_id, "unarchive_branch", needed.planned, {"unarchived_ids": needed.branch_ids})


def archive_unused(plane: Plane) -> None:
    """One operation a branch; parents follow their children, because a parent in use keeps its place."""
    if plane.settings.plan not in ARCHIVING_PLANS:
        return
    with plane.store.transaction():
        for branch in plane.store.find(Branch, lambda branch: branch.current_state == "ready"):
            if _is_due(plane, branch, plane.clock.now()) and not plane.locked(branch.project_id):
                _archive(plane, branch)


def _archive(plane: Plane, branch: Branch) -> None:
    arguments = {"branch_id": branch.id, "node_ids": [branch.node_id]}
    plane.schedule(branch.project_id, "archive_branch", [Planned("timeline_archive", branch.id)], arguments)
    plane.change_branch(branch, pending_state="archived")


def _is_due(plane: Plane, branch: Branch, now: datetime) -> bool:
    if branch.protected or branch.pending_state is not None or now - branch.created_at < OLD:
        return False
    if any(child.current_state != "archived" for child in plane.children(branch.id)):
        return False
    last_use = _last_use(plane, branch)
    return last_use is not None and now - last_use >= UNUSED


def _last_use(plane: Plane, branch: Branch) -> datetime | None:
    """None while the compute runs."""
    endpoint = plane.endpoint_of(branch.id)
    if endpoint is not None and endpoint.current_state != "idle":
        return None
    uses = [branch.created_at, branch.accessed_at, branch.last_reset_at, endpoint.suspended_at if endpoint else None]
    return max(use for use in uses if use is not None)


def _lineage(plane: Plane, branch: Branch) -> Sequence[Branch]:
    """The branch, its parent, its parent's parent, ..."""
    found = [branch]
    while (parent := plane.store.get(Branch, found[-1].parent_id or "")) is not None:
        found.append(parent)
    return found
