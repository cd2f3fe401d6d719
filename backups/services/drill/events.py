"""Events about drills and their plans, in the transaction of the change that they tell of."""

from __future__ import annotations

from collections.abc import Mapping

from backups.domain.drill import ScheduleKind
from backups.domain.ledger import Outcome, Target
from backups.domain.people import Actor
from backups.ledger.fields import Detail
from backups.models import Drill, DrillPlan, LedgerEvent, ProtectedBranch
from backups.services.execution.events import the_worker
from backups.services.ledger import record_event


def target_of_plan(plan: DrillPlan) -> Target:
    """The plan as the target of an event."""
    return _target("drill_plan", plan_reference(plan), plan.branch)


def target_of_drill(drill: Drill) -> Target:
    """The drill as the target of an event."""
    if drill.branch is None:
        return Target(kind="drill", id=drill.reference, project=drill.project.neon_project_id)
    return _target("drill", drill.reference, drill.branch)


def plan_reference(plan: DrillPlan) -> str:
    """The plan's id in events; its name is free text of people."""
    return f"plan-{plan.pk}" if plan.pk else "new"


def record_plan(
    plan: DrillPlan, type: str, *, actor: Actor, details: Mapping[str, Detail] | None = None, text: str = ""
) -> LedgerEvent:
    """One event about a plan."""
    facts: dict[str, Detail] = {"drill_plan": plan_reference(plan), "branch_name": plan.branch.name}
    return record_event(
        type=type,
        actor=actor,
        target=target_of_plan(plan),
        details=facts | dict(details or {}),
        text=text,
        sandbox=plan.branch.project.is_sandbox,
        correlation=plan_reference(plan),
    )


def plan_details(plan: DrillPlan) -> dict[str, Detail]:
    """What of a plan an event tells."""
    return {
        "scenario": plan.scenario,
        "drill_schedule": schedule_words(plan),
        "point_kind": plan.point_choice,
        "rto_objective_seconds": plan.rto_objective_seconds,
        "rpo_objective_seconds": plan.rpo_objective_seconds,
    }


def schedule_words(plan: DrillPlan) -> str:
    """The schedule in one short line, such as `cron 0 3 * * 1 UTC`."""
    if plan.schedule_kind == ScheduleKind.CRON:
        return f"cron {plan.cron} UTC"
    return f"every {plan.interval_seconds} s" if plan.schedule_kind == ScheduleKind.INTERVAL else "by hand"


def record_drill(
    drill: Drill,
    type: str,
    *,
    actor: Actor | None = None,
    details: Mapping[str, Detail] | None = None,
    outcome: Outcome = Outcome.SUCCESS,
    text: str = "",
) -> LedgerEvent:
    """One event about a drill; without an actor it is the worker's."""
    facts: dict[str, Detail] = {"drill": drill.reference, "scenario": drill.scenario}
    if drill.plan is not None:
        facts["drill_plan"] = plan_reference(drill.plan)
    if drill.branch is not None:
        facts["branch_name"] = drill.branch.name
    return record_event(
        type=type,
        actor=actor or the_worker(),
        target=target_of_drill(drill),
        outcome=outcome,
        details=facts | dict(details or {}),
        text=text,
        sandbox=drill.project.is_sandbox,
        correlation=drill.reference,
    )


def _target(kind: str, id: str, branch: ProtectedBranch) -> Target:
    return Target(
        kind=kind,
        id=id,
        project=branch.project.neon_project_id,
        branch=branch.neon_branch_id,
        environment=branch.environment.value,
    )
