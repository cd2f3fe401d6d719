"""Runs the checks on the restored branch, one by one; a worker that dies loses one check at most."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction

from backups.domain.execution import CheckOutcome, Step
from backups.domain.restore import RestoreKind
from backups.models import CheckResult, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.policy import policy_in_force
from backups.services.execution.check_records import about_check
from backups.services.execution.claim import hold_run
from backups.services.execution.context import StepContext
from backups.services.execution.crash_points import crash_point
from backups.services.execution.events import record_run
from backups.services.execution.own_copies import addresses
from backups.services.execution.restore_connect import restored_branch_id
from backups.services.execution.restore_reference import find_reference, make_reference
from backups.services.execution.restore_whole import Whole, compare_databases, store_whole
from backups.services.execution.results import Advance, Again, StepResult
from backups.verification import CheckContext, CheckSpec, Unfinished, VerificationPolicy, plan_checks, run_check
from backups.verification import CheckResult as Checked

_CHECK_SECONDS = 8.0
#: Below this a check is not worth beginning under the present claim; half of it is kept for writing down.
_SMALLEST_SECONDS = 2.0
_WAITING_FOR = "the checks"


def verify(context: StepContext) -> StepResult:
    """Database by database, check by check. What a check needs and can't get makes it inconclusive, never passed."""
    reference = None
    if RestoreKind(context.request.kind).overwrites:
        reference = find_reference(context)
        if reference is None:
            making = make_reference(context)
            if making is not None:
                return making
            return _without_reference(context)
    return _check_all(context, reference)


def check_copy(context: StepContext, copy_id: str) -> StepResult | None:
    """The checks of a copy by itself, before it takes the branch's place; None when each has its result.

    Raises NeonError, DatabaseUnreachable.
    """
    for database, checks in _contexts(context, copy_id, None).items():
        unfinished = _check_database(context, database, checks, before_effect=True)
        if unfinished is not None:
            return unfinished
    return None


def _check_all(context: StepContext, reference: str | None) -> StepResult:
    for database, checks in _contexts(context, restored_branch_id(context), reference).items():
        unfinished = _check_database(context, database, checks)
        if unfinished is not None:
            return unfinished
    memory = {"reference_branch_id": reference} if reference else {}
    return Advance(to=Step.FINISH, sentence="All checks ended.", memory=memory)


def _contexts(context: StepContext, restored_id: str, reference: str | None) -> dict[str, CheckContext]:
    """What the checks of each database are given. Raises NeonError."""
    restored = addresses(context, restored_id)
    then = addresses(context, reference) if reference else {}
    if reference:
        compare_databases(context, restored=set(restored), then=set(then))
    return {
        name: CheckContext(
            branch=dsn,
            reference=then.get(name),
            point_at=_point_at(context.request),
            submitted_at=_noted_time(context, "submitted_at"),
            writable_at=_noted_time(context, "connectable_at"),
            policy=_policy(context, name, only=len(restored) == 1),
            known_rows=_known_rows(context, name),
        )
        for name, dsn in restored.items()
        if not reference or name in then
    }


def _check_database(
    context: StepContext, database: str, checks: CheckContext, *, before_effect: bool = False
) -> StepResult | None:
    """None when every check of this database has a result."""
    rows = _planned(context, database, checks, before_effect)
    for row in rows:
        if row.outcome is None:
            waiting = _run_to_its_end(context, row, checks)
            if waiting is not None:
                return waiting
        checks = checks.learn(row.code, row.figures)
    return None


def _planned(context: StepContext, database: str, checks: CheckContext, before_effect: bool) -> list[CheckResult]:
    """The plan is made once per round and then stands, so that a resumed run can't lose a check."""
    run = context.execution
    key = {"review_round": run.review_round, "database": database, "before_effect": before_effect}
    rows = list(CheckResult.objects.filter(execution=run, **key))
    if rows:
        return rows
    specs = plan_checks(checks)
    with transaction.atomic():
        hold_run(context.claim)
        return CheckResult.objects.bulk_create(
            CheckResult(
                execution=run,
                **key,
                code=spec.code,
                subject=spec.subject,
                title=spec.title,
                is_required=spec.required,
                position=position,
            )
            for position, spec in enumerate(specs)
        )


def _run_to_its_end(context: StepContext, row: CheckResult, checks: CheckContext) -> StepResult | None:
    """None when the check has its result. Raises DatabaseUnreachable."""
    spec = CheckSpec(code=row.code, subject=row.subject, title=row.title, required=row.is_required)
    smallest = min(_SMALLEST_SECONDS, settings.EXECUTION_BUDGET_SECONDS / 4)
    while (left := context.remaining_seconds()) > smallest:
        result = run_check(spec, checks, budget_seconds=min(_CHECK_SECONDS, left - smallest / 2), cursor=row.cursor)
        if isinstance(result, Checked):
            _store(context, row, result)
            return None
        _remember(context, row, result)
        if not context.pause(result.retry_after_seconds):
            return Again(after_seconds=result.retry_after_seconds, waiting_for=_WAITING_FOR, sentence=row.title)
    return Again(after_seconds=0, waiting_for=_WAITING_FOR, sentence=row.title)


def _store(context: StepContext, row: CheckResult, result: Checked) -> None:
    with transaction.atomic():
        hold_run(context.claim)
        row.outcome = result.outcome.value
        row.sentence = result.sentence[:400]
        row.figures = result.figures
        row.cursor = None
        row.ended_at = database_now()
        row.save()
        record_run(context.execution, type="execution.check", details=about_check(row))
        crash_point("before_check_commit")


def _remember(context: StepContext, row: CheckResult, result: Unfinished) -> None:
    with transaction.atomic():
        hold_run(context.claim)
        row.cursor = result.cursor
        row.save(update_fields=["cursor"])


def _without_reference(context: StepContext) -> StepResult:
    """Nothing to compare with: that is a result, and it is not a good one."""
    sentence = "The copy at the restore point is gone and could not be made again, so nothing could be compared."
    result = Whole("reference", "Copy at the restore point to compare with", CheckOutcome.INCONCLUSIVE, sentence)
    store_whole(context, result)
    return Advance(to=Step.FINISH, sentence=sentence)


def _point_at(request: RestoreRequest) -> dt.datetime | None:
    """When the state was that comes back. For an undo: until the branch took writes again after the restore that it
    takes back, the kept state may have been written to."""
    return request.undo_of.connectable_at if request.undo_of else request.point.latest_moment()


def _noted_time(context: StepContext, name: str) -> dt.datetime | None:
    text = context.memory.get(name)
    return dt.datetime.fromisoformat(text) if text else None


def _policy(context: StepContext, database: str, *, only: bool) -> VerificationPolicy:
    """The tables that must be there are those of the branch's main database."""
    branch = context.branch
    required = branch.required_tables if only or database == branch.database_name else ()
    return VerificationPolicy(
        required_tables=tuple(required), required_checks=frozenset(policy_in_force().required_checks)
    )


def _known_rows(context: StepContext, database: str) -> dict[str, int]:
    packet = context.request.packet
    tables: Iterable[dict[str, object]] = packet.observed.get("tables", []) if packet else []
    return {
        str(table["table"]): int(str(table["at_point"]))
        for table in tables
        if table["database"] == database and table["at_point"] is not None and table["counted_by"] != "estimate"
    }
