"""What can be said against a plan before it is stored: one sentence beside each field."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from backups.domain.drill import PointChoice, ScheduleKind
from backups.domain.restore import Scenario
from backups.models import DrillPlan, ProtectedBranch
from backups.services.drill.schedule import SHORTEST_INTERVAL_SECONDS, cron_problem
from backups.verification.drill import CODES, Operator, problems_of_expectation, problems_of_statement

SHORTEST_TIME_LIMIT_SECONDS = 30
#: A copy lives as long as the drill may take, and Neon keeps a branch with an expiry for 30 days at most.
LONGEST_TIME_LIMIT_SECONDS = 24 * 3600
MOST_OWN_CHECKS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCheck:
    """A check of one's own: one reading statement and what its result must be (backups.verification.drill.Operator).

    `database` empty: the branch's main one. `expected_to`: the upper end of `between`.
    """

    title: str
    statement: str
    operator: str
    expected: str = ""
    expected_to: str = ""
    database: str = ""
    is_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWish:
    """What the form of a plan holds. Times are aware; lengths are in seconds.

    `interval_from`: intervals are counted from there; empty means from now on.
    `rpo_objective_seconds`: None measures the age of the newest data without judging it.
    """

    branch_id: int
    name: str
    scenario: Scenario = Scenario.REHEARSAL
    schedule_kind: ScheduleKind = ScheduleKind.BY_HAND
    cron: str = ""
    interval_seconds: int | None = None
    interval_from: dt.datetime | None = None
    point_choice: PointChoice = PointChoice.RANDOM
    point_age_seconds: int | None = None
    row_tolerance_parts_per_million: int = 0
    left_out_checks: tuple[str, ...] = ()
    rto_objective_seconds: int = 15 * 60
    rpo_objective_seconds: int | None = 5 * 60
    time_limit_seconds: int = 30 * 60
    good_for_seconds: int = 7 * 24 * 3600
    slot_grace_seconds: int = 3600
    own_checks: tuple[OwnCheck, ...] = field(default=())


def errors_of(wish: PlanWish, *, branch: ProtectedBranch, plan: DrillPlan | None) -> dict[str, str]:
    """A sentence for each field that can't be used; empty when all of them can."""
    return (
        _name_errors(wish, branch, plan)
        | _schedule_errors(wish)
        | _point_errors(wish, branch)
        | _length_errors(wish)
        | _check_errors(wish)
    )


def _name_errors(wish: PlanWish, branch: ProtectedBranch, plan: DrillPlan | None) -> dict[str, str]:
    name = wish.name.strip()
    if not name:
        return {"name": "Give the plan a name."}
    if len(name) > 120:
        return {"name": "Please use at most 120 characters."}
    others = DrillPlan.objects.filter(branch=branch, name=name)
    if plan is not None:
        others = others.exclude(pk=plan.pk)
    return {"name": "This branch has a plan of that name."} if others.exists() else {}


def _schedule_errors(wish: PlanWish) -> dict[str, str]:
    if wish.schedule_kind is ScheduleKind.CRON:
        problem = cron_problem(wish.cron)
        return {"cron": problem} if problem else {}
    if wish.schedule_kind is ScheduleKind.INTERVAL and (wish.interval_seconds or 0) < SHORTEST_INTERVAL_SECONDS:
        return {"interval_seconds": f"Say how often, at least {SHORTEST_INTERVAL_SECONDS} seconds apart."}
    return {}


def _point_errors(wish: PlanWish, branch: ProtectedBranch) -> dict[str, str]:
    if wish.point_choice is not PointChoice.FIXED_AGE:
        return {}
    if not wish.point_age_seconds or wish.point_age_seconds < 0:
        return {"point_age_seconds": "Say how far to go back."}
    window = branch.project.history_retention_seconds
    if window is not None and wish.point_age_seconds >= window:
        return {"point_age_seconds": f"Neon keeps only {window} seconds of history for this project."}
    return {}


def _length_errors(wish: PlanWish) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not SHORTEST_TIME_LIMIT_SECONDS <= wish.time_limit_seconds <= LONGEST_TIME_LIMIT_SECONDS:
        errors["time_limit_seconds"] = (
            f"The time limit must lie between {SHORTEST_TIME_LIMIT_SECONDS} and {LONGEST_TIME_LIMIT_SECONDS} seconds."
        )
    for name in ("rto_objective_seconds", "rpo_objective_seconds", "good_for_seconds", "slot_grace_seconds"):
        value = getattr(wish, name)
        if value is not None and value < 1:
            errors[name] = "Use at least one second."
    if not 0 <= wish.row_tolerance_parts_per_million <= 1_000_000:
        errors["row_tolerance_parts_per_million"] = "The tolerance lies between nothing and all rows."
    return errors


def _check_errors(wish: PlanWish) -> dict[str, str]:
    titles = [check.title.strip() for check in wish.own_checks]
    if len(titles) > MOST_OWN_CHECKS:
        return {"own_checks": f"Please use at most {MOST_OWN_CHECKS} checks."}
    if not all(titles) or len(set(titles)) < len(titles):
        return {"own_checks": "Give each check a title of its own."}
    for check in wish.own_checks:
        problems = _problems_of(check)
        if problems:
            return {"own_checks": f"{check.title}: {problems[0]}"}
    unknown = sorted(set(wish.left_out_checks) - set(CODES))
    return {"left_out_checks": f"There is no check named {unknown[0]}."} if unknown else {}


def _problems_of(check: OwnCheck) -> list[str]:
    if check.operator not in list(Operator):
        return [f"Compare with one of {', '.join(Operator)}."]
    return problems_of_statement(check.statement) + problems_of_expectation(
        Operator(check.operator), check.expected, check.expected_to
    )
