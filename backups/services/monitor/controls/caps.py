"""How much room the plan leaves: a restore in place adds a root branch, and its undo another one."""

from __future__ import annotations

from collections.abc import Sequence

from backups.domain.monitor import FindingCode, Observation
from backups.services.monitor.facts import NotTold
from backups.services.monitor.scene import Scene

#: One for a restore in place, one for its undo.
NEEDED_ROOTS = 2
#: A preview, a look and a drill can be wanted at the same time.
_NEEDED_BRANCHES = 3


def root_branches(scene: Scene) -> Sequence[Observation]:
    """Root branches against the plan's cap."""
    used = sum(branch.is_root for branch in scene.facts.branches.get())
    cap = scene.project.root_branch_cap
    if cap is None:
        raise NotTold("The plan's cap on root branches is not known: Neon did not tell the plan.")
    left = cap - used
    if left >= NEEDED_ROOTS:
        return []
    code = FindingCode.ROOT_CAP_NEAR if left > 0 else FindingCode.ROOT_CAP_REACHED
    consequence = "A restore in place fits, its undo does not." if left > 0 else "No restore in place fits."
    sentence = f"{used} of {cap} root branches are used. {consequence}"
    evidence = {"root_branches": used, "cap": cap}
    return [Observation(code=code, subject="root_branches", sentence=sentence, evidence=evidence)]


def branches(scene: Scene) -> Sequence[Observation]:
    """All branches against the limit that Neon tells; a limit below 0 is none."""
    limit = scene.facts.project.get().branches_limit
    if limit is None:
        raise NotTold("Neon did not tell how many branches the plan allows.")
    used = len(scene.facts.branches.get())
    if limit < 0 or limit - used >= _NEEDED_BRANCHES:
        return []
    sentence = f"{used} of {limit} branches are used: copies for looks, previews and drills may not fit."
    evidence = {"branches": used, "limit": limit}
    return [Observation(code=FindingCode.BRANCH_CAP_NEAR, subject="branches", sentence=sentence, evidence=evidence)]
