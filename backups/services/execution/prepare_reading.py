"""The steps of a preparation that read databases: the live branch, the copy beside it, and the checks on the copy."""

from __future__ import annotations

import time
from collections.abc import Mapping

from backups.domain.consequence import TABLES
from backups.domain.execution import CheckOutcome, Step
from backups.domain.packet import Rehearsal, RehearsalCheck
from backups.neon.errors import NeonError
from backups.selectors.clock import database_now
from backups.selectors.policy import policy_in_force
from backups.services.execution.context import StepContext
from backups.services.execution.own_copies import Copy, CopyFailed, addresses, is_ready
from backups.services.execution.prepare_time import box_is_over, parts_of, seconds_left
from backups.services.execution.results import Advance, Again, StepResult
from backups.services.observed_facts import NOT_READ, Parts, one_line, reason_of
from backups.services.observed_now import point_time
from backups.verification import (
    CheckContext,
    CheckResult,
    CheckSpec,
    DatabaseUnreachable,
    Dsn,
    OutOfTime,
    Unfinished,
    VerificationPolicy,
    compare_point_with_now,
    inspect_database,
    plan_checks,
    run_check,
)

#: Sessions, sizes and counts of the live branch are worth this much; the comparison needs the rest.
_INSPECT_SECONDS = 4.0
#: One look at the copy while it is being made, before the time goes back to the queue.
_READY_SECONDS = 10.0
_CHECK_SECONDS = 3.0
_SMALLEST_SECONDS = 0.3


def inspect(context: StepContext) -> StepResult:
    """Reads the live branch: sessions, sizes, log position, counts now. Nothing on it is changed."""
    parts = parts_of(context)
    try:
        found = addresses(context, context.branch.neon_branch_id)
        _inspect_each(context, parts, found)
    except NeonError as error:
        parts.miss("sessions", str(error))
    follows = Step.COMPARE if "copy" in context.memory else Step.PUBLISH
    return Advance(to=follows, memory={"parts": parts.to_json()}, sentence=f"{len(parts.live)} databases inspected")


def compare(context: StepContext) -> StepResult:
    """Waits for the copy and compares it with the live branch, table by table; resumes where a task ended."""
    parts = parts_of(context)
    made = Copy(**context.memory["copy"])
    try:
        if not _is_connectable(context, made):
            return _wait_for_copy(context, parts)
        ready_seconds = context.memory.get("ready_seconds") or made.seconds_since_asked(database_now())
        unfinished = _compare_each(context, parts, made)
    except CopyFailed as failure:
        return _not_compared(context, parts, str(failure))
    except (NeonError, DatabaseUnreachable, OutOfTime) as trouble:
        return _tried(context, parts, reason_of(trouble))
    memory = {"parts": parts.to_json(), "ready_seconds": round(ready_seconds, 2)}
    if unfinished and not box_is_over(context):
        return Again(after_seconds=0, waiting_for="the comparison of the tables", memory=memory)
    if unfinished and not parts.loss:
        return _not_compared(context, parts, context.memory.get("trouble", NOT_READ))
    return Advance(to=Step.REHEARSE, memory=memory, sentence=f"{len(parts.loss)} databases compared")


def rehearse(context: StepContext) -> StepResult:
    """Runs on the copy the checks that will follow the restore."""
    parts = parts_of(context)
    if "copy" not in context.memory or box_is_over(context):
        parts.miss("rehearsal", "there was no time left for it")
        return Advance(to=Step.PUBLISH, memory={"parts": parts.to_json()})
    try:
        parts.rehearsal = _rehearse(context, Copy(**context.memory["copy"]))
    except (NeonError, DatabaseUnreachable, OutOfTime) as error:
        parts.miss("rehearsal", reason_of(error))
    sentence = f"Rehearsal {parts.rehearsal['outcome']}" if parts.rehearsal else "No rehearsal"
    return Advance(to=Step.PUBLISH, memory={"parts": parts.to_json()}, sentence=sentence)


def _inspect_each(context: StepContext, parts: Parts, found: Mapping[str, Dsn]) -> None:
    budget_ends = time.monotonic() + min(_INSPECT_SECONDS, seconds_left(context))
    for number, (name, dsn) in enumerate(found.items()):
        share = (budget_ends - time.monotonic()) / (len(found) - number)
        if share < _SMALLEST_SECONDS:
            parts.miss("sessions", f"{name}: there was no time left to read it")
            return
        try:
            parts.live[name] = inspect_database(dsn, budget_seconds=share)
        except (DatabaseUnreachable, OutOfTime) as error:
            parts.miss("sessions", f"{name}: {reason_of(error)}")


def _is_connectable(context: StepContext, made: Copy) -> bool:
    return is_ready(context, made, seconds=min(_READY_SECONDS, seconds_left(context)))


def _wait_for_copy(context: StepContext, parts: Parts) -> StepResult:
    if box_is_over(context):
        waited = Copy(**context.memory["copy"]).seconds_since_asked(database_now())
        return _not_compared(context, parts, f"the copy was not ready after {waited:.0f} s")
    return Again(after_seconds=0, waiting_for="the copy at the restore point")


def _tried(context: StepContext, parts: Parts, why: str) -> StepResult:
    """A trouble may pass while there is time; at the end of the box it is the reason for an unknown."""
    if box_is_over(context):
        return _not_compared(context, parts, why)
    why = one_line(why)
    memory = {"parts": parts.to_json(), "trouble": why}
    return Again(after_seconds=0.5, waiting_for="the copy at the restore point", sentence=why, memory=memory)


def _not_compared(context: StepContext, parts: Parts, why: str) -> StepResult:
    parts.miss(f"{TABLES} at the point", why)
    return Advance(to=Step.REHEARSE, memory={"parts": parts.to_json()}, sentence=one_line(why))


def _compare_each(context: StepContext, parts: Parts, made: Copy) -> bool:
    """Compares what both sides have; True when more time would find out more."""
    then, now = addresses(context, made.branch_id), addresses(context, context.branch.neon_branch_id)
    parts.note_databases(then=set(then), now=set(now))
    both = [name for name in now if name in then]
    for number, name in enumerate(both):
        share = seconds_left(context) / (len(both) - number)
        if share < _SMALLEST_SECONDS:
            return True
        parts.loss[name] = compare_point_with_now(
            then[name],
            now[name],
            point_at=point_time(context.request),
            budget_seconds=share,
            previous=parts.loss.get(name),
        )
    return any(parts.loss[name].unfinished for name in both)


def _rehearse(context: StepContext, made: Copy) -> Rehearsal:
    began = time.monotonic()
    results: list[RehearsalCheck] = []
    required: list[CheckOutcome] = []
    found = addresses(context, made.branch_id)
    for name, dsn in found.items():
        checks = CheckContext(
            branch=dsn,
            point_at=point_time(context.request),
            policy=_check_policy(context, name, only=len(found) == 1),
        )
        prefix = f"{name}: " if len(found) > 1 else ""
        for spec in plan_checks(checks):
            result = _run(context, spec, checks)
            checks = checks.learn(spec.code, result.figures)
            results.append(_told(result, prefix))
            required += [result.outcome] if spec.required else []
    return {
        "outcome": _worst(required).value,
        "checks": results,
        "ready_seconds": context.memory.get("ready_seconds"),
        "checked_seconds": round(time.monotonic() - began, 2),
    }


def _check_policy(context: StepContext, database: str, *, only: bool) -> VerificationPolicy:
    """The tables that must be there are those of the branch's main database."""
    branch = context.branch
    is_main = only or database == branch.database_name
    return VerificationPolicy(
        required_tables=tuple(branch.required_tables) if is_main else (),
        required_checks=frozenset(policy_in_force().required_checks),
    )


def _run(context: StepContext, spec: CheckSpec, checks: CheckContext) -> CheckResult:
    """One check to its end, or inconclusive when the box ends first."""
    cursor = None
    while (left := seconds_left(context)) >= _SMALLEST_SECONDS:
        outcome = run_check(spec, checks, budget_seconds=min(left, _CHECK_SECONDS), cursor=cursor)
        if not isinstance(outcome, Unfinished):
            return outcome
        cursor = outcome.cursor
        if not context.pause(min(outcome.retry_after_seconds, max(0.0, left - _SMALLEST_SECONDS))):
            break
    return CheckResult(spec, CheckOutcome.INCONCLUSIVE, "There was no time left to run it on the copy.")


def _told(result: CheckResult, prefix: str) -> RehearsalCheck:
    return {
        "code": result.spec.code,
        "title": f"{prefix}{result.spec.title}",
        "outcome": result.outcome.value,
        "sentence": result.sentence,
    }


def _worst(outcomes: list[CheckOutcome]) -> CheckOutcome:
    """Failed before inconclusive before passed; nothing required means that nothing was shown."""
    if CheckOutcome.FAILED in outcomes:
        return CheckOutcome.FAILED
    if CheckOutcome.INCONCLUSIVE in outcomes or not outcomes:
        return CheckOutcome.INCONCLUSIVE
    return CheckOutcome.PASSED
