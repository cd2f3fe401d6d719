"""What this person may do with a plan, a drill or a canary now: the same rules as the services ask."""

from __future__ import annotations

from collections.abc import Iterable

from backups.domain.drill import DrillState
from backups.domain.drill_actions import DrillAction, DrillSituation, drill_refusal
from backups.domain.people import Actor
from backups.models import Canary, Drill, DrillPlan, ProtectedBranch

UNDER_WAY = (DrillState.WAITING, DrillState.RUNNING)


def open_drill_of(plan: DrillPlan) -> Drill | None:
    """The automatic drill of this plan that has not ended."""
    return Drill.objects.filter(plan=plan, is_automatic=True, state__in=UNDER_WAY).first()


def plan_situation(actor: Actor, plan: DrillPlan) -> DrillSituation:
    """What the rules look at for a plan."""
    return DrillSituation(
        actor=actor,
        branch_is_missing=plan.branch.missing_since is not None,
        plan_is_active=plan.is_active,
        drill_is_open=open_drill_of(plan) is not None,
    )


def drill_situation(actor: Actor, drill: Drill) -> DrillSituation:
    """What the rules look at for a drill."""
    return DrillSituation(
        actor=actor,
        drill_state=DrillState(drill.state),
        drill_is_automatic=drill.is_automatic,
        cancel_was_asked=bool(drill.cancel_asked_by_name),
    )


def branch_situation(actor: Actor, branch: ProtectedBranch) -> DrillSituation:
    """What the rules look at for a branch: new plans and the canary."""
    return DrillSituation(
        actor=actor,
        branch_is_missing=branch.missing_since is not None,
        canary_is_on=Canary.objects.filter(branch=branch, is_on=True).exists(),
    )


def allowed(actions: Iterable[DrillAction], situation: DrillSituation) -> frozenset[DrillAction]:
    """Those of the actions that the situation allows."""
    return frozenset(action for action in actions if drill_refusal(action, situation) is None)


def allowed_on_plan(actor: Actor, plan: DrillPlan) -> frozenset[DrillAction]:
    """What the person may do with the plan."""
    of_plans = (DrillAction.CHANGE_PLAN, DrillAction.RETIRE_PLAN, DrillAction.RUN_PLAN)
    return allowed(of_plans, plan_situation(actor, plan))


def allowed_on_drill(actor: Actor, drill: Drill) -> frozenset[DrillAction]:
    """What the person may do with an automatic drill."""
    return allowed((DrillAction.CANCEL_DRILL,), drill_situation(actor, drill))


def allowed_on_branch(actor: Actor, branch: ProtectedBranch) -> frozenset[DrillAction]:
    """What the person may do about drills of the branch."""
    of_branches = (DrillAction.MAKE_PLAN, DrillAction.SET_UP_CANARY, DrillAction.STOP_CANARY)
    return allowed(of_branches, branch_situation(actor, branch))
