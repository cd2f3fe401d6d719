"""The branch's compute: scaled to zero is healthy, disabled or missing is not."""

from __future__ import annotations

from collections.abc import Sequence

from backups.domain.monitor import FindingCode, Observation
from backups.domain.policy import Environment
from backups.models import ProtectedBranch
from backups.services.monitor.controls.about import about_branch
from backups.services.monitor.scene import Scene


def writable(scene: Scene, branch: ProtectedBranch) -> Sequence[Observation]:
    """Production has one compute to write to, and it is not disabled. What a quota stops is told by the quota."""
    if branch.environment is Environment.DEVELOPMENT or scene.facts.branch(branch.neon_branch_id) is None:
        return []
    here = [each for each in scene.facts.endpoints.get() if each.branch_id == branch.neon_branch_id]
    computes = [each for each in here if each.is_read_write]
    if not computes:
        sentence = f"{branch.name} has no compute to write to: nothing can connect to it, and no check can be made."
        return [about_branch(branch, FindingCode.ENDPOINT_MISSING, sentence)]
    stopped = [each.id for each in computes if each.disabled]
    if not stopped:
        return []
    sentence = f"The compute of {branch.name} is disabled: nothing can connect."
    return [about_branch(branch, FindingCode.ENDPOINT_DISABLED, sentence, endpoint=stopped[0])]
