"""Ending a step: one transaction under the claim's fence."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from backups.domain.execution import CLAIMABLE, ExecutionState
from backups.domain.ledger import Outcome
from backups.ledger.fields import Detail
from backups.models import Execution, ExecutionStep
from backups.selectors.clock import database_now
from backups.services.execution.claim import Claim, lock_run
from backups.services.execution.crash_points import crash_point
from backups.services.execution.events import record_run
from backups.services.execution.queue import enqueue
from backups.services.execution.results import Advance, Again, Finished, Halt, NoEffect, StepResult

_SENTENCE = 400


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of a step, for its record."""

    step: str
    started_at: dt.datetime


def finish_step(claim: Claim, done: Pass, result: StepResult, *, keep_lease: bool) -> bool:
    """Writes what came of the step, with everything that follows from it, or nothing at all. Raises FencedOff.

    Returns whether the claim goes on to the next step, which only an Advance with `keep_lease` does.
    """
    goes_on = keep_lease and isinstance(result, Advance)
    with transaction.atomic():
        run = lock_run(claim)
        was_reviewing = run.state == ExecutionState.REVIEWING
        now = database_now()
        _apply(run, result, now)
        run.memory = run.memory | dict(result.memory)
        run.lease_until = now + dt.timedelta(seconds=settings.EXECUTION_LEASE_SECONDS) if goes_on else None
        run.save()
        _note_step(claim, done, result, run)
        if result.commit is not None and not (was_reviewing and _ends(result)):
            result.commit(run)
        _tell(claim, done, result, run)
        crash_point("before_step_commit", step=done.step)
        if not goes_on and run.state in CLAIMABLE and run.next_attempt_at is None:
            enqueue(run.pk)
    crash_point("after_step_commit", step=done.step)
    return goes_on


def note_stumble(claim: Claim, done: Pass, *, after_seconds: float) -> None:
    """Gives the run back after an error that nobody foresaw, and counts it like a lost worker. Raises FencedOff."""
    with transaction.atomic():
        run = lock_run(claim)
        run.attempts += 1
        run.lease_until = None
        run.next_attempt_at = database_now() + dt.timedelta(seconds=after_seconds)
        run.save(update_fields=["attempts", "lease_until", "next_attempt_at"])
        record_run(
            run,
            type="execution.abandoned",
            outcome=Outcome.FAILURE,
            details={"fence": claim.fence, "attempt": run.attempts, "step_name": done.step, "error": "unforeseen"},
        )


def _ends(result: StepResult) -> bool:
    return isinstance(result, Finished | NoEffect | Halt)


def _apply(run: Execution, result: StepResult, now: dt.datetime) -> None:
    if run.attempts and _is_progress(run, result):
        run.attempts = 0
    run.next_attempt_at = None
    if isinstance(result, Advance):
        run.step = result.to.value
        _no_longer_waiting(run)
    elif isinstance(result, Again):
        _wait(run, result, now)
    else:
        _no_longer_waiting(run)
        _end(run, result, now)


def _is_progress(run: Execution, result: StepResult) -> bool:
    """Going back to a step that was passed before is none: a run could go round and round and never wear out."""
    if not isinstance(result, Advance):
        return True
    return not ExecutionStep.objects.filter(execution=run, step=result.to).exists()


def _no_longer_waiting(run: Execution) -> None:
    run.waiting_for = ""
    run.waiting_since = None
    run.memory = {name: value for name, value in run.memory.items() if name != "tries"}


def _wait(run: Execution, result: Again, now: dt.datetime) -> None:
    run.waiting_for = result.waiting_for[:200]
    run.waiting_since = run.waiting_since or now
    if result.after_seconds > 0:
        run.next_attempt_at = now + dt.timedelta(seconds=result.after_seconds)


def _end(run: Execution, result: Finished | NoEffect | Halt, now: dt.datetime) -> None:
    code = result.outcome_code if isinstance(result, Finished) else result.code
    # A review only finds out; closing the request stays with two people.
    if isinstance(result, Halt) or run.state == ExecutionState.REVIEWING:
        run.state = ExecutionState.HALTED
        run.halt_code = code
        run.halt_sentence = result.sentence[:_SENTENCE]
        return
    run.state = ExecutionState.FINISHED
    run.outcome_code = code
    run.finished_at = now


def _note_step(claim: Claim, done: Pass, result: StepResult, run: Execution) -> None:
    ExecutionStep.objects.create(
        execution=run,
        step=done.step,
        fence=claim.fence,
        started_at=done.started_at,
        ended_at=claim.now(),
        result=_word(result),
        sentence=result.sentence[:_SENTENCE],
    )


def _tell(claim: Claim, done: Pass, result: StepResult, run: Execution) -> None:
    details: dict[str, Detail] = {
        "step_name": done.step,
        "fence": claim.fence,
        "decision": _word(result),
        "duration_ms": round((claim.now() - done.started_at).total_seconds() * 1000),
        "next_attempt_at": run.next_attempt_at,
    }
    if isinstance(result, NoEffect | Halt):
        details["error"] = result.code
    ending = isinstance(result, Finished | NoEffect)
    if ending:
        del details["next_attempt_at"], details["decision"]
    record_run(run, type=_event_type(result), details=details, outcome=_outcome(result))


def _event_type(result: StepResult) -> str:
    if isinstance(result, Again):
        return "execution.waiting"
    return "execution.finished" if isinstance(result, Finished | NoEffect) else "execution.step_finished"


def _outcome(result: StepResult) -> Outcome:
    if isinstance(result, Halt):
        return Outcome.UNKNOWN
    return Outcome.FAILURE if isinstance(result, NoEffect) else Outcome.SUCCESS


def _word(result: StepResult) -> str:
    return {Advance: "advance", Again: "again", Finished: "finished", NoEffect: "no_effect", Halt: "halt"}[type(result)]
