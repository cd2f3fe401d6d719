"""What people may do with a drill: exercises that they log, and what they add to any drill."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backups.domain.drill import OPEN_DRILL, DrillState
from backups.domain.people import Actor, Capability


class DrillAct(StrEnum):
    """One thing that a person may do with a drill that is there."""

    CHANGE = "change"
    BEGIN = "begin"
    END = "end"
    CANCEL = "cancel"
    PARTICIPANTS = "participants"
    NOTE = "note"
    ADD_FINDING = "add_finding"
    ADD_ACTION = "add_action"
    ATTACH = "attach"
    SIGN_OFF = "sign_off"


@dataclass(frozen=True, slots=True)
class DrillSituation:
    """What the rules need to know. `ran_by_ids`: who asked for it or led it; nobody for one by schedule."""

    actor: Actor
    state: DrillState
    is_automatic: bool
    is_signed: bool
    ran_by_ids: frozenset[int] = frozenset()


_BY_HAND_ONLY = frozenset(
    {DrillAct.CHANGE, DrillAct.BEGIN, DrillAct.END, DrillAct.CANCEL, DrillAct.PARTICIPANTS, DrillAct.NOTE}
)
_UNTIL_SIGNED = frozenset({DrillAct.ADD_FINDING, DrillAct.ATTACH})


def refusal(act: DrillAct, situation: DrillSituation) -> str | None:
    """Why the act is refused, as a sentence; None when it may be done."""
    if situation.actor.user_id is None:
        return "Only somebody with an account can do this."
    if act is DrillAct.SIGN_OFF:
        return _no_signature(situation)
    if not situation.actor.may(Capability.LOG_DRILL):
        return "Your role does not let you log drills."
    if act in _BY_HAND_ONLY:
        return _not_by_hand(act, situation)
    if situation.state is DrillState.CANCELLED:
        return "This drill was cancelled; nothing is added to it."
    if act in _UNTIL_SIGNED and situation.is_signed:
        return "This drill is signed off. Nothing is added to what was signed."
    return None


def allowed_acts(situation: DrillSituation) -> frozenset[DrillAct]:
    """What the page offers; the services refuse the rest."""
    return frozenset(act for act in DrillAct if refusal(act, situation) is None)


def _not_by_hand(act: DrillAct, situation: DrillSituation) -> str | None:
    if situation.is_automatic:
        return "The portal runs this drill; its course can't be written by hand."
    if situation.state not in OPEN_DRILL:
        return "This exercise is over. What it was can't be changed; add a finding."
    if act is DrillAct.BEGIN and situation.state is not DrillState.PLANNED:
        return "This exercise has begun already."
    return None


def _no_signature(situation: DrillSituation) -> str | None:
    if not situation.actor.is_human or not situation.actor.may(Capability.SIGN_OFF_DRILL):
        return "A manager signs drills off."
    if situation.state is not DrillState.ENDED:
        return "A drill is signed off once it has ended."
    if situation.is_signed:
        return "This drill is signed off already."
    if situation.actor.user_id in situation.ran_by_ids:
        return "You ran this drill, so another manager signs it off."
    return None
