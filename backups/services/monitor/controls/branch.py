"""Can the branch be restored in place: it is there, ready, a root, and Neon does not refuse."""

from __future__ import annotations

from collections.abc import Sequence

from backups.domain.monitor import FindingCode, Observation
from backups.domain.policy import Environment
from backups.models import Finding, ProtectedBranch
from backups.neon.types import Branch
from backups.services.monitor.controls.about import about_branch
from backups.services.monitor.scene import Scene


def restorable(scene: Scene, branch: ProtectedBranch) -> Sequence[Observation]:
    """What stands in the way of a restore in place, one observation for each reason."""
    found = scene.facts.branch(branch.neon_branch_id)
    if found is None:
        return _missing(scene, branch)
    reasons = [_readiness(branch, found), *_refusals(branch, found)]
    return [reason for reason in reasons if reason is not None]


def _missing(scene: Scene, branch: ProtectedBranch) -> list[Observation]:
    """A deletion that was seen is a finding of its own, which stays until it is explained."""
    known = scene.before.branches or {}
    told = Finding.objects.filter(code=FindingCode.DELETED_OUTSIDE, branch=branch)
    if branch.neon_branch_id in known or told.exists():
        return []
    sentence = f"Neon does not show {branch.name}. Its history is gone with it; snapshots of it may be left."
    return [about_branch(branch, FindingCode.BRANCH_MISSING, sentence)]


def _readiness(branch: ProtectedBranch, found: Branch) -> Observation | None:
    if found.is_ready:
        return None
    state = found.pending_state or found.current_state or "unknown"
    sentence = f"{branch.name} is not ready at Neon: its state is {state}."
    return about_branch(branch, FindingCode.BRANCH_NOT_READY, sentence, state=state)


def _refusals(branch: ProtectedBranch, found: Branch) -> list[Observation | None]:
    if not found.is_root:
        return [_child(branch)]
    restricted = [action.name for action in found.restricted_actions if action.name]
    if "restore" in restricted:
        sentence = f"Neon says that it refuses restores of {branch.name}."
        return [about_branch(branch, FindingCode.BRANCH_RESTRICTED, sentence, restricted=restricted)]
    if not found.can_be_restore_target:
        sentence = (
            f"{branch.name} came from a snapshot. For now Neon restores no point in time there; snapshots still can be."
        )
        status = found.restore_status
        return [about_branch(branch, FindingCode.BRANCH_FROM_SNAPSHOT, sentence, restore_status=status)]
    return []


def _child(branch: ProtectedBranch) -> Observation | None:
    """Children are ordinary in development."""
    if branch.environment is Environment.DEVELOPMENT:
        return None
    sentence = f"{branch.name} is a child branch: Neon restores only root branches in place."
    return about_branch(branch, FindingCode.BRANCH_NOT_ROOT, sentence)
