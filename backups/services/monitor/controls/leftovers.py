"""What the portal made at Neon: nothing without a row, no row without its branch, and what kept states cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from backups.domain.execution import BranchFate, BranchPurpose
from backups.domain.leftovers import looks_like_ours
from backups.domain.monitor import FindingCode, Observation
from backups.domain.policy import DEFAULT_POLICY
from backups.domain.safety_copy import CopyKind, CopyState
from backups.domain.usage import storage_dollars_a_month
from backups.models import OwnedBranch
from backups.neon.types import Branch
from backups.services.monitor.scene import Scene

#: A deletion that Neon accepted may take a while to leave its list.
_DELETION_GRACE = dt.timedelta(minutes=10)


def orphans(scene: Scene) -> Sequence[Observation]:
    """Branches and snapshots with our mark or our kind of name that no row knows."""
    governed = {branch.neon_branch_id for branch in scene.branches if not looks_like_ours(branch.name)}
    branches = [
        _orphan(
            scene, "branch", branch.id, branch.name, branch.created_at, branch.expires_at, branch.logical_size_bytes
        )
        for branch in scene.facts.branches.get()
        if branch.id not in governed
        and looks_like_ours(branch.name, branch.annotation)
        and not _known_branch(scene, branch)
    ]
    known = {name for copy in scene.safety_copies for name in (copy.neon_id, copy.chosen_name)}
    snapshots = [
        _orphan(scene, "snapshot", each.id, each.name, each.created_at, each.expires_at, each.full_size_bytes)
        for each in scene.facts.snapshots.get()
        if looks_like_ours(each.name) and not known & {each.id, each.name}
    ]
    return [*branches, *snapshots]


def missing(scene: Scene) -> Sequence[Observation]:
    """Rows of what Neon does not show. Only rows that were there before Neon was asked are judged."""
    shown = {branch.id for branch in scene.facts.branches.get()} | {each.id for each in scene.facts.snapshots.get()}
    branches = [
        _missing(
            "The state before a restore" if row.purpose == BranchPurpose.PRESERVED else "A copy",
            row.neon_branch_id,
            row.name,
        )
        for row in scene.owned_alive
        if row.pk in scene.present_before
        and row.fate in {BranchFate.PRESENT, BranchFate.HANDED_OVER}
        and row.neon_branch_id
        and row.neon_branch_id not in shown
        and not _is_due(row.expires_at, scene)
    ]
    # A safety copy that is a branch has a row among those of the portal's branches too.
    copies = [
        _missing("A safety copy", copy.neon_id, copy.chosen_name)
        for copy in scene.safety_copies
        if copy.pk in scene.copies_before
        and copy.kind == CopyKind.SNAPSHOT
        and copy.state == CopyState.MADE
        and copy.neon_id not in shown
        and not _is_due(copy.expires_at, scene)
    ]
    return [*branches, *copies]


def _is_due(expires_at: dt.datetime | None, scene: Scene) -> bool:
    return expires_at is not None and expires_at <= scene.now + _DELETION_GRACE


def preserved(scene: Scene) -> Sequence[Observation]:
    """States before a restore that are kept longer than they need be, with their age and about what they cost."""
    return list(_preserved(scene))


def _known_branch(scene: Scene, branch: Branch) -> bool:
    for row in scene.owned:
        if row.neon_branch_id == branch.id or (not row.neon_branch_id and row.name == branch.name):
            gone_long = row.gone_at is not None and row.gone_at < scene.now - _DELETION_GRACE
            return not (row.fate == BranchFate.GONE and gone_long)
    return any(branch.id == copy.neon_id or branch.name == copy.chosen_name for copy in scene.safety_copies)


def _orphan(
    scene: Scene,
    what: str,
    neon_id: str,
    name: str,
    created_at: dt.datetime | None,
    expires_at: dt.datetime | None,
    size_bytes: int | None,
) -> Observation:
    age = _days(scene.now - created_at) if created_at else "unknown"
    expires = f"Neon removes it {expires_at:%Y-%m-%d %H:%M} UTC." if expires_at else "It never expires."
    return Observation(
        code=FindingCode.ORPHAN,
        subject=neon_id,
        sentence=f"The {what} {name} looks like the portal's own, and no row knows it. Age: {age}. {expires}"[:400],
        evidence={
            what: neon_id,
            "name": name,
            "created_at": _text(created_at),
            "expires_at": _text(expires_at),
            "bytes": size_bytes,
        },
    )


def _missing(what: str, neon_id: str, name: str) -> Observation:
    return Observation(
        code=FindingCode.OWNED_MISSING,
        subject=neon_id,
        sentence=f"{what}, {name}, should be at Neon and is not. The portal did not remove it."[:400],
        evidence={"neon_id": neon_id, "name": name},
    )


def _preserved(scene: Scene) -> Iterator[Observation]:
    shown = {branch.id: branch for branch in scene.facts.branches.get()}
    keep = dt.timedelta(days=DEFAULT_POLICY.preserved_branch_days)
    for row in scene.owned_alive:
        branch = shown.get(row.neon_branch_id)
        if branch is None or row.purpose != BranchPurpose.PRESERVED or scene.now <= _kept_until(row, keep):
            continue
        size = branch.logical_size_bytes
        cost = f"about ${storage_dollars_a_month(size):.2f} a month" if size is not None else "its cost is unknown"
        yield Observation(
            code=FindingCode.PRESERVED_KEPT,
            subject=row.neon_branch_id,
            sentence=f"{row.name} is kept for {_days(scene.now - row.created_at)}; {cost}."[:400],
            evidence={
                "branch": row.neon_branch_id,
                "created_at": _text(row.created_at),
                "bytes": size,
                "request": row.request.reference if row.request else None,
            },
        )


def _kept_until(row: OwnedBranch, keep: dt.timedelta) -> dt.datetime:
    """What people decided after the restore; else the policy's days."""
    checklist = getattr(row.request, "checklist", None) if row.request else None
    decided: dt.datetime | None = checklist.kept_until if checklist else None
    return decided or row.created_at + keep


def _days(age: dt.timedelta) -> str:
    return f"{age.days} days" if age.days >= 2 else f"{age.total_seconds() / 3600:.0f} hours"


def _text(at: dt.datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
