"""Asks the rules of domain/drill_actions, and refuses in their words."""

from __future__ import annotations

from backups.domain.drill_actions import DrillAction, DrillSituation, drill_refusal
from backups.services.restore.errors import Refused


def ask_the_rules(action: DrillAction, situation: DrillSituation) -> None:
    """Raises Refused when the action is not allowed."""
    sentence = drill_refusal(action, situation)
    if sentence is not None:
        raise Refused(action=None, code=f"{action.value}_not_allowed", sentence=sentence)
