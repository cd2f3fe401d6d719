"""Makes a drill and its run, in the transaction of whoever begins it."""

from __future__ import annotations

import datetime as dt

from backups.domain.drill import DrillState, DrillType
from backups.domain.execution import Purpose, Step
from backups.domain.people import Actor
from backups.models import Drill, DrillPlan
from backups.services.drill.events import record_drill
from backups.services.drill.facts import plan_facts
from backups.services.execution.create import create_execution

BY_SCHEDULE = "the plan's schedule"


def begin_drill(
    plan: DrillPlan, *, actor: Actor, now: dt.datetime, due_at: dt.datetime | None = None, reason: str = ""
) -> Drill:
    """A drill that waits for the worker. The caller holds the plan's lock and has asked the rules.

    Raises IntegrityError when a drill of the plan is under way.
    """
    drill = Drill.objects.create(
        type=DrillType.FUNCTIONAL,
        is_automatic=True,
        state=DrillState.WAITING,
        title=plan.name,
        project=plan.branch.project,
        branch=plan.branch,
        plan=plan,
        scenario=plan.scenario,
        asked_by_id=actor.user_id,
        asked_by_name=actor.name if due_at is None else BY_SCHEDULE,
        plan_facts=plan_facts(plan),
        point_choice=plan.point_choice,
        rto_objective_seconds=plan.rto_objective_seconds,
        rpo_objective_seconds=plan.rpo_objective_seconds,
        planned_for=due_at,
        requested_at=now,
    )
    record_drill(drill, "drill.planned", actor=actor, details={"due_at": due_at}, text=reason)
    create_execution(
        purpose=Purpose.DRILL,
        project=plan.branch.project,
        branch=plan.branch,
        drill=drill,
        step=Step.PREFLIGHT,
        actor=actor,
    )
    return drill
