"""Runs a drill's checks one by one, so that a worker that dies loses one of them at most."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from backups.domain.execution import Step
from backups.models import CheckResult
from backups.neon.errors import NeonNotFound
from backups.selectors.clock import database_now
from backups.services.drill import outcome
from backups.services.execution.check_records import about_check
from backups.services.execution.claim import hold_run
from backups.services.execution.context import StepContext
from backups.services.execution.crash_points import crash_point
from backups.services.execution.drill_begin import REPLACED, source_was_replaced
from backups.services.execution.drill_connect import copy_is_gone, copy_of
from backups.services.execution.drill_frame import drill_of, to_removal
from backups.services.execution.drill_target import targets
from backups.services.execution.drill_verdict import counted_checks, counts_of
from backups.services.execution.events import record_run
from backups.services.execution.giving_way import production_request
from backups.services.execution.results import Advance, Again, StepResult
from backups.services.observed_facts import reason_of
from backups.verification import DatabaseUnreachable, OutOfTime
from backups.verification.drill import CheckVerdict, DrillTarget, PlannedCheck, kept_connections, plan_checks, run_check

_CHECK_SECONDS = 8.0
#: Below this a check is not worth beginning under the present claim; half of it is kept for writing down.
_SMALLEST_SECONDS = 2.0
_WAITING_FOR = "the checks"


def verify(context: StepContext) -> StepResult:
    """Database by database, check by check; production is asked after before each of them."""
    try:
        if source_was_replaced(context):
            return to_removal(context, REPLACED)
        with kept_connections():
            for target in targets(context, copy_of(context).branch_id):
                unfinished = _check_database(context, target)
                if unfinished is not None:
                    return unfinished
    except NeonNotFound:
        return copy_is_gone(context)
    except (DatabaseUnreachable, OutOfTime) as trouble:
        return Again(after_seconds=1, waiting_for="the copy to answer", sentence=reason_of(trouble))
    return _verified(context)


def _check_database(context: StepContext, target: DrillTarget) -> StepResult | None:
    """None when every check of this database has its result."""
    for row in _planned(context, target):
        if row.outcome is None:
            waiting = _run_to_its_end(context, row, target)
            if waiting is not None:
                return waiting
        target = target.learn(row.code, row.figures)
    return None


def _planned(context: StepContext, target: DrillTarget) -> list[CheckResult]:
    """The plan is made once and then stands, so that a resumed run can't lose a check."""
    run = context.execution
    rows = list(CheckResult.objects.filter(execution=run, database=target.database))
    if rows:
        return rows
    plan = plan_checks(target)
    with transaction.atomic():
        hold_run(context.claim)
        return CheckResult.objects.bulk_create(
            CheckResult(
                execution=run,
                database=each.database,
                code=each.code,
                subject=each.subject[:200],
                title=each.title[:200],
                is_required=each.required,
                position=position,
            )
            for position, each in enumerate(plan)
        )


def _run_to_its_end(context: StepContext, row: CheckResult, target: DrillTarget) -> StepResult | None:
    """None when the check has its result. Raises DatabaseUnreachable."""
    planned = PlannedCheck(row.code, row.title, row.database, row.subject, row.is_required)
    smallest = min(_SMALLEST_SECONDS, settings.EXECUTION_BUDGET_SECONDS / 4)
    while (left := context.remaining_seconds()) > smallest:
        if production_request(context.execution) is not None or _is_over(context):
            break
        budget_seconds = min(_CHECK_SECONDS, left - smallest / 2)
        verdict = run_check(planned, target, budget_seconds=budget_seconds, cursor=row.cursor)
        if verdict.has_ended:
            _store(context, row, verdict)
            return None
        _remember(context, row, verdict)
        if not context.pause(verdict.retry_after_seconds):
            return Again(after_seconds=verdict.retry_after_seconds, waiting_for=_WAITING_FOR, sentence=row.title)
    return Again(after_seconds=0, waiting_for=_WAITING_FOR, sentence=row.title)


def _is_over(context: StepContext) -> bool:
    """Whether the drill's limit has passed; the next pass says so."""
    limit = drill_of(context).time_limit_at
    return limit is not None and database_now() >= limit


def _store(context: StepContext, row: CheckResult, verdict: CheckVerdict) -> None:
    if verdict.outcome is None:
        raise ValueError("only a check that has ended is stored")
    with transaction.atomic():
        hold_run(context.claim)
        row.outcome = verdict.outcome.value
        row.sentence = verdict.sentence[:400]
        row.figures = dict(verdict.figures)
        row.cursor = None
        row.ended_at = database_now()
        row.save()
        record_run(context.execution, type="execution.check", details=about_check(row))
        crash_point("before_check_commit")


def _remember(context: StepContext, row: CheckResult, verdict: CheckVerdict) -> None:
    with transaction.atomic():
        hold_run(context.claim)
        row.cursor = verdict.cursor
        row.save(update_fields=["cursor"])


def _verified(context: StepContext) -> StepResult:
    drill_id, at = drill_of(context).pk, database_now()
    counted = counted_checks(context.execution)

    def commit(_: object) -> None:
        outcome.note_verified(drill_id=drill_id, at=at, counted=counted)

    return Advance(to=Step.REMOVE, sentence=f"All checks ended: {counts_of(counted.checks)}", commit=commit)
