"""How far back points in time can be restored."""

from __future__ import annotations

from collections.abc import Sequence

from backups.domain.monitor import FindingCode, Observation
from backups.models import ProtectedBranch
from backups.services.monitor.controls.about import about_branch
from backups.services.monitor.facts import NotTold
from backups.services.monitor.scene import Scene


def window(scene: Scene, branch: ProtectedBranch) -> Sequence[Observation]:
    """The project's history window against the one declared for the branch. None at all is critical."""
    wanted = scene.wanted_of(branch).history_seconds
    found = scene.facts.project.get().history_retention_seconds
    if found is None:
        raise NotTold("Neon did not tell the history window.")
    if not wanted or found >= wanted:
        return []
    code = FindingCode.HISTORY_SHORT if found else FindingCode.HISTORY_OFF
    sentence = (
        f"Neon keeps {_hours(found)} of history; {_hours(wanted)} are declared for {branch.name}."
        if found
        else f"Neon keeps no history: no point in time of {branch.name} can be restored."
    )
    return [about_branch(branch, code, sentence, found_seconds=found, declared_seconds=wanted)]


def _hours(seconds: int) -> str:
    days = seconds / 86_400
    return f"{days:g} days" if days >= 2 else f"{seconds / 3600:g} hours"
