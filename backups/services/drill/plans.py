"""Making, changing and retiring drill plans."""

from __future__ import annotations

from backups.domain.drill import ScheduleKind
from backups.domain.drill_actions import DrillAction
from backups.domain.ledger import Target
from backups.domain.people import Actor
from backups.models import DrillCheck, DrillPlan, ProtectedBranch
from backups.selectors.clock import database_now
from backups.selectors.drill_actions import branch_situation, plan_situation
from backups.services.drill.events import plan_details, record_plan, target_of_plan
from backups.services.drill.facts import PLAIN, plan_facts
from backups.services.drill.input import OwnCheck, PlanWish, errors_of
from backups.services.drill.rules import ask_the_rules
from backups.services.drill.slots import settle_slots
from backups.services.project import target_of_branch
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import refusals_recorded, with_roles_of_now


def create_plan(*, actor: Actor, wish: PlanWish) -> DrillPlan:
    """Stores a new plan; its first time comes after now. Raises Refused, InvalidInput."""
    branch = ProtectedBranch.objects.select_related("project").filter(pk=wish.branch_id).first()
    target = target_of_branch(branch) if branch else Target(kind="drill_plan", id="new")
    with refusals_recorded(actor=actor, target=target):
        if branch is None:
            raise Refused(action=None, code="unknown_branch", sentence="There is no such branch. Nothing was stored.")
        actor = with_roles_of_now(actor)
        ask_the_rules(DrillAction.MAKE_PLAN, branch_situation(actor, branch))
        _check(wish, branch, None)
        plan = DrillPlan(branch=branch, created_by_name=actor.name)
        _fill(plan, wish)
        plan.save()
        _store_checks(plan, wish.own_checks)
        record_plan(plan, "drill.plan_created", actor=actor, details=plan_details(plan))
        return plan


def change_plan(*, actor: Actor, plan_id: int, wish: PlanWish) -> DrillPlan:
    """Changes a plan; drills that ran keep the plan as it was, and times that are past stay what they were.

    The branch of a plan can't be changed: `wish.branch_id` must be the same. Raises Refused, InvalidInput.
    """
    with refusals_recorded(actor=actor, target=_target(plan_id)):
        actor = with_roles_of_now(actor)
        plan = lock_plan(plan_id)
        ask_the_rules(DrillAction.CHANGE_PLAN, plan_situation(actor, plan))
        if wish.branch_id != plan.branch_id:
            raise InvalidInput({"branch": "A plan keeps its branch. Make another plan for another branch."})
        _check(wish, plan.branch, plan)
        _close_the_past(plan)
        before = plan_facts(plan)
        _fill(plan, wish)
        plan.save()
        _store_checks(plan, wish.own_checks)
        changed = sorted(name for name, value in plan_facts(plan).items() if before[name] != value)
        if changed:
            record_plan(
                plan, "drill.plan_changed", actor=actor, details=plan_details(plan) | {"changed_fields": changed}
            )
        return plan


def retire_plan(*, actor: Actor, plan_id: int, reason: str = "") -> DrillPlan:
    """Takes a plan out of use: no more drills of it begin; one under way goes on. Raises Refused, InvalidInput."""
    with refusals_recorded(actor=actor, target=_target(plan_id)):
        actor = with_roles_of_now(actor)
        plan = lock_plan(plan_id)
        ask_the_rules(DrillAction.RETIRE_PLAN, plan_situation(actor, plan))
        _close_the_past(plan)
        plan.is_active = False
        plan.save(update_fields=["is_active", "planned_until", "changed_at"])
        record_plan(plan, "drill.plan_retired", actor=actor, text=reason)
        return plan


def lock_plan(plan_id: int) -> DrillPlan:
    """The plan's row, locked until the transaction ends."""
    return DrillPlan.objects.select_for_update(of=("self",)).select_related("branch__project").get(pk=plan_id)


def _target(plan_id: int) -> Target:
    plan = DrillPlan.objects.select_related("branch__project").filter(pk=plan_id).first()
    return target_of_plan(plan) if plan else Target(kind="drill_plan", id=f"plan-{plan_id}")


def _check(wish: PlanWish, branch: ProtectedBranch, plan: DrillPlan | None) -> None:
    errors = errors_of(wish, branch=branch, plan=plan)
    if errors:
        raise InvalidInput(errors)


def _close_the_past(plan: DrillPlan) -> None:
    """Times that were due under the old schedule are settled by it first. Raises InvalidInput when there are too many
    for one transaction; the planner is at work on them."""
    if not settle_slots(plan, now=database_now(), may_begin=False):
        raise InvalidInput(
            {"schedule_kind": "Missed times of this plan are still being recorded. Try again in a minute."}
        )


def _fill(plan: DrillPlan, wish: PlanWish) -> None:
    now = database_now()
    plan.name = wish.name.strip()
    plan.scenario = wish.scenario.value
    for name in PLAIN:
        setattr(plan, name, getattr(wish, name))
    plan.left_out_checks = sorted(set(wish.left_out_checks))
    plan.schedule_kind = wish.schedule_kind.value
    plan.cron = " ".join(wish.cron.split()) if wish.schedule_kind is ScheduleKind.CRON else ""
    is_interval = wish.schedule_kind is ScheduleKind.INTERVAL
    plan.interval_seconds = wish.interval_seconds if is_interval else None
    plan.interval_from = (wish.interval_from or plan.interval_from or now) if is_interval else None
    plan.planned_until = now


def _store_checks(plan: DrillPlan, checks: tuple[OwnCheck, ...]) -> None:
    plan.own_checks.all().delete()
    DrillCheck.objects.bulk_create(
        DrillCheck(
            plan=plan,
            title=check.title.strip(),
            database=check.database,
            statement=check.statement,
            operator=check.operator,
            expected=check.expected,
            expected_to=check.expected_to,
            is_required=check.is_required,
            position=position,
        )
        for position, check in enumerate(checks)
    )
