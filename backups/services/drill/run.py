"""Running a plan now, and ending a drill early."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import F

from backups.domain.drill_actions import DrillAction
from backups.domain.execution import ExecutionState, Purpose, Step
from backups.domain.ledger import Target
from backups.domain.people import Actor, Role
from backups.models import Drill, DrillPlan, Execution
from backups.selectors.clock import database_now
from backups.selectors.drill_actions import drill_situation, plan_situation
from backups.services.drill.begin import begin_drill
from backups.services.drill.events import record_drill, target_of_drill, target_of_plan
from backups.services.drill.lock import lock_drill
from backups.services.drill.outcome import end_cancelled
from backups.services.drill.plans import lock_plan
from backups.services.drill.rules import ask_the_rules
from backups.services.restore.governed import refusals_recorded, with_roles_of_now


def run_plan_now(*, actor: Actor, plan_id: int, reason: str = "") -> Drill:
    """Begins a drill of the plan; the worker takes it on, after any production request. Raises Refused."""
    plan = DrillPlan.objects.select_related("branch__project").get(pk=plan_id)
    with refusals_recorded(actor=actor, target=target_of_plan(plan)):
        actor = with_roles_of_now(actor)
        plan = lock_plan(plan_id)
        ask_the_rules(DrillAction.RUN_PLAN, plan_situation(actor, plan))
        return begin_drill(plan, actor=actor, now=database_now(), reason=reason)


def run_plan_by_command(*, actor: Actor, plan_id: int) -> Drill:
    """The same for whoever operates the portal's machine. Raises Refused when the plan can't be run."""
    plan = DrillPlan.objects.select_related("branch__project").get(pk=plan_id)
    with refusals_recorded(actor=actor, target=target_of_plan(plan)):
        plan = lock_plan(plan_id)
        ask_the_rules(DrillAction.RUN_PLAN, plan_situation(_operator(actor), plan))
        return begin_drill(plan, actor=actor, now=database_now())


def _operator(actor: Actor) -> Actor:
    """Who has a shell on the portal's machine may do what engineers may do with drills."""
    return replace(actor, roles=(Role.ENGINEER,))


def cancel_drill(*, actor: Actor, drill_id: int, reason: str = "") -> Drill:
    """Ends an automatic drill early. One that has begun removes its copy first. Raises Refused."""
    with refusals_recorded(actor=actor, target=_target(drill_id)):
        actor = with_roles_of_now(actor)
        run = Execution.objects.select_for_update(of=("self",)).filter(drill=drill_id, purpose=Purpose.DRILL).first()
        drill = lock_drill(drill_id)
        ask_the_rules(DrillAction.CANCEL_DRILL, drill_situation(actor, drill))
        drill.cancel_asked_by_name = actor.name
        drill.save(update_fields=["cancel_asked_by_name"])
        record_drill(drill, "drill.cancel_asked", actor=actor, text=reason)
        if run is None or run.step == Step.PREFLIGHT:
            _end_at_once(drill, run, actor)
        return drill


def _target(drill_id: int) -> Target:
    return target_of_drill(Drill.objects.select_related("project", "branch__project").get(pk=drill_id))


def _end_at_once(drill: Drill, run: Execution | None, actor: Actor) -> None:
    """Nothing was asked of Neon yet that would have to be taken back."""
    now = database_now()
    end_cancelled(drill_id=drill.pk, at=now, sentence=f"{actor.name} ended it before it began.")
    if run is not None:
        Execution.objects.filter(pk=run.pk).update(
            state=ExecutionState.FINISHED,
            # A worker that is still at it can no longer write its result.
            fence=F("fence") + 1,
            lease_until=None,
            next_attempt_at=None,
            outcome_code="cancelled",
            finished_at=now,
        )
