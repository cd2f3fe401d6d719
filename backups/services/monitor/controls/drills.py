"""Does a drill prove that the branch can be recovered; the proof fades by itself."""

from __future__ import annotations

from collections.abc import Sequence

from backups.domain.drill import DrillOutcome, Proof, Standing
from backups.domain.monitor import FindingCode, Observation, Severity
from backups.domain.policy import Environment
from backups.models import ProtectedBranch
from backups.services.monitor.controls.about import about_branch
from backups.services.monitor.scene import Scene


def last_good(scene: Scene, branch: ProtectedBranch) -> Sequence[Observation]:
    """The age of the last good drill against its plan: amber at the limit, red at twice the limit."""
    if branch.environment is Environment.DEVELOPMENT or not branch.is_root:
        return []
    standing = scene.proofs[branch.pk]
    return [*_newest_failed(branch, standing), *_age(scene, branch, standing)]


def _newest_failed(branch: ProtectedBranch, standing: Standing) -> list[Observation]:
    """However young an older good drill is: what was tried last did not work."""
    if standing.last_outcome is not DrillOutcome.FAILED or standing.last_ended_at is None:
        return []
    sentence = f"The newest drill of {branch.name} failed; until one passes, its recovery is in doubt."
    ended_at = standing.last_ended_at.isoformat(timespec="seconds")
    return [about_branch(branch, FindingCode.DRILL_FAILED, sentence, last_ended_at=ended_at)]


def _age(scene: Scene, branch: ProtectedBranch, standing: Standing) -> list[Observation]:
    if standing.proof in {Proof.PROVEN, Proof.DOUBTFUL}:
        return []
    if standing.last_good_at is None:
        plan = "has a plan and no good drill" if standing.proof is Proof.NEVER else "has no drill plan"
        return [about_branch(branch, FindingCode.DRILL_MISSING, f"{branch.name} {plan}: its recovery is not proven.")]
    if standing.proof is Proof.NO_PLAN:
        sentence = f"{branch.name} has no drill plan any more, so nothing says how old its last good drill may be."
        return [about_branch(branch, FindingCode.DRILL_MISSING, sentence)]
    days = (scene.now - standing.last_good_at).total_seconds() / 86_400
    return [
        about_branch(
            branch,
            FindingCode.DRILL_OVERDUE,
            f"The last good drill of {branch.name} is {days:.0f} days old, older than its plan allows.",
            severity=Severity.CRITICAL if standing.proof is Proof.STALE else Severity.WARNING,
            last_good_at=standing.last_good_at.isoformat(timespec="seconds"),
            limit_seconds=standing.limit_seconds,
        )
    ]
