"""What a person may do with drill plans, automatic drills and the canary, and the sentence that refuses the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from backups.domain.drill import DrillState
from backups.domain.people import Actor, Capability


class DrillAction(StrEnum):
    """Something that a person can do with automatic drills."""

    MAKE_PLAN = "make_plan"
    CHANGE_PLAN = "change_plan"
    RETIRE_PLAN = "retire_plan"
    RUN_PLAN = "run_plan"
    CANCEL_DRILL = "cancel_drill"
    SET_UP_CANARY = "set_up_canary"
    STOP_CANARY = "stop_canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillSituation:
    """Everything the rules look at; what does not belong to the subject keeps its default."""

    actor: Actor
    branch_is_missing: bool = False
    plan_is_active: bool = True
    drill_is_open: bool = False
    drill_state: DrillState | None = None
    drill_is_automatic: bool = True
    cancel_was_asked: bool = False
    canary_is_on: bool = False


Rule = Callable[[DrillSituation], str | None]

GONE = "Neon no longer has this branch. Run the connection check of its project."
RETIRED = "This plan is retired. Make a new one."


def drill_refusal(action: DrillAction, situation: DrillSituation) -> str | None:
    """None when the action is allowed, else the sentence that says why not."""
    return _RULES[action](situation)


def _first(*answers: str | None) -> str | None:
    return next((answer for answer in answers if answer is not None), None)


def _needs(situation: DrillSituation, capability: Capability, words: str) -> str | None:
    return None if situation.actor.may(capability) else f"Your role does not let you {words}."


def _unless(condition: bool, sentence: str) -> str | None:
    return None if condition else sentence


def _make(s: DrillSituation) -> str | None:
    return _first(
        _needs(s, Capability.MANAGE_DRILL_PLANS, "change drill plans"), _unless(not s.branch_is_missing, GONE)
    )


def _change(s: DrillSituation) -> str | None:
    return _first(
        _needs(s, Capability.MANAGE_DRILL_PLANS, "change drill plans"),
        _unless(s.plan_is_active, RETIRED),
    )


def _run(s: DrillSituation) -> str | None:
    return _first(
        _needs(s, Capability.RUN_DRILL, "run a drill"),
        _unless(s.plan_is_active, RETIRED),
        _unless(not s.branch_is_missing, GONE),
        _unless(not s.drill_is_open, "A drill of this plan has not ended yet. Wait for it, or cancel it."),
    )


def _cancel(s: DrillSituation) -> str | None:
    is_open = s.drill_state in {DrillState.WAITING, DrillState.RUNNING}
    return _first(
        _needs(s, Capability.RUN_DRILL, "cancel a drill"),
        _unless(s.drill_is_automatic, "This drill was not run by the portal; change its own record."),
        _unless(is_open, "This drill is over already."),
        _unless(not s.cancel_was_asked, "It is being cancelled: its copy is removed first."),
    )


def _set_up_canary(s: DrillSituation) -> str | None:
    return _first(
        _needs(s, Capability.MANAGE_DRILL_PLANS, "change what is written into this branch"),
        _unless(not s.branch_is_missing, GONE),
    )


def _stop_canary(s: DrillSituation) -> str | None:
    return _first(
        _needs(s, Capability.MANAGE_DRILL_PLANS, "change what is written into this branch"),
        _unless(s.canary_is_on, "This branch has no canary that is on."),
    )


_RULES: dict[DrillAction, Rule] = {
    DrillAction.MAKE_PLAN: _make,
    DrillAction.CHANGE_PLAN: _change,
    DrillAction.RETIRE_PLAN: _change,
    DrillAction.RUN_PLAN: _run,
    DrillAction.CANCEL_DRILL: _cancel,
    DrillAction.SET_UP_CANARY: _set_up_canary,
    DrillAction.STOP_CANARY: _stop_canary,
}
