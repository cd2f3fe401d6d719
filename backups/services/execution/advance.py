"""One task: claim the run, work on its steps while the time lasts, leave it in a state from which anybody can go on."""

from __future__ import annotations

import logging
import time
import traceback

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from backups.domain.correlation import request_id_scope
from backups.domain.execution import Purpose, Step
from backups.neon.errors import AnswerUnusable, NeonError, TryLater
from backups.selectors.clock import database_now
from backups.services.execution.claim import Claim, FencedOff, claim_execution, load_run
from backups.services.execution.context import StepContext, Workplace
from backups.services.execution.crash_points import crash_point
from backups.services.execution.finish import Pass, finish_step, note_stumble
from backups.services.execution.registry import GIVE_UP, STEPS
from backups.services.execution.results import Again, Halt, StepResult
from backups.services.execution.waits import backoff_seconds, wait_after
from backups.services.secrets import SecretsKeyUnusable, SecretUnreadable
from backups.verification.errors import DatabaseUnreachable

logger = logging.getLogger("backups.execution")

#: Kept back from the task's time for writing the result down.
_MARGIN_SECONDS = 3.0


def advance(execution_id: int) -> None:
    """Works on the run for at most one task's time. Harmless at any time and in any number of copies."""
    with request_id_scope():
        claim = claim_execution(execution_id)
        if claim is None:
            return
        crash_point("after_claim")
        workplace = Workplace(ends_at=time.monotonic() + settings.TASK_TIMEOUT_SECONDS - _MARGIN_SECONDS)
        try:
            _work(claim, workplace)
        except FencedOff:
            logger.info("run %s went to another worker; what this one found is dropped", execution_id)
        finally:
            workplace.close()


def _work(claim: Claim, workplace: Workplace) -> None:
    began = time.monotonic()
    goes_on = True
    while goes_on:
        goes_on = _one_step(claim, workplace, began)


def _one_step(claim: Claim, workplace: Workplace, began: float) -> bool:
    run = load_run(claim)
    done = Pass(step=run.step, started_at=claim.now())
    ends_at = min(time.monotonic() + settings.EXECUTION_BUDGET_SECONDS, workplace.ends_at)
    context = StepContext(execution=run, claim=claim, workplace=workplace, ends_at=ends_at)
    try:
        result = _result_of(context)
        may_go_on = time.monotonic() - began < settings.EXECUTION_BUDGET_SECONDS
        return finish_step(claim, done, result, keep_lease=may_go_on)
    except FencedOff:
        raise
    except Exception as error:
        _stumble(context, done, error)
        return False


def _result_of(context: StepContext) -> StepResult:
    run = context.execution
    if context.claim.is_worn_out:
        return _give_up(context, "worker_lost", "The worker died again and again in this step.")
    try:
        return STEPS[Purpose(run.purpose)][Step(run.step)](context)
    except TryLater as error:
        return _later(context, error, wait_after(error, context.tries), "Neon to answer")
    except (AnswerUnusable, DatabaseUnreachable, SecretUnreadable, SecretsKeyUnusable) as error:
        return _later(context, error, backoff_seconds(context.tries), _awaited(error))
    except NeonError as error:
        return _later(context, error, backoff_seconds(context.tries), "Neon to accept the call")


def _awaited(error: Exception) -> str:
    if isinstance(error, DatabaseUnreachable):
        return "the database to take connections"
    return "Neon's answer to be usable" if isinstance(error, AnswerUnusable) else "a usable API key"


def _later(context: StepContext, error: Exception, after_seconds: float, waiting_for: str) -> StepResult:
    """The step changed nothing that is not written down, so it is made again, until patience ends."""
    run = context.execution
    now = database_now()
    if run.deadline_at is not None and now >= run.deadline_at:
        return _give_up(context, "deadline", str(error))
    waited = (now - run.waiting_since).total_seconds() if run.waiting_since else 0.0
    # Before its start a request has a clock of its own.
    if run.step != Step.PREFLIGHT and waited >= settings.EXECUTION_PATIENCE_SECONDS:
        return _give_up(context, "unreachable", str(error))
    return Again(
        after_seconds=after_seconds,
        waiting_for=waiting_for,
        sentence=str(error),
        memory={"tries": context.tries + 1},
    )


def _give_up(context: StepContext, code: str, sentence: str) -> StepResult:
    return GIVE_UP[Purpose(context.execution.purpose)](context, code, sentence)


def _stumble(context: StepContext, done: Pass, error: Exception) -> None:
    """An error that nobody foresaw: logged without its text, which could quote a row, and counted."""
    claim = context.claim
    where = "".join(traceback.format_tb(error.__traceback__)[-3:])
    logger.error("run %s stumbled in %s: %s\n%s", claim.execution_id, done.step, type(error).__name__, where)
    if isinstance(error, DatabaseError) and not connection.in_atomic_block:
        # A broken connection can't even say that it is broken; the next query opens a new one.
        connection.close()
    try:
        if claim.attempts >= settings.EXECUTION_ABANDONED_LIMIT:
            _end_stumbling(context, done, type(error).__name__)
        else:
            note_stumble(claim, done, after_seconds=backoff_seconds(claim.attempts))
    except DatabaseError as second:
        logger.error("run %s keeps its lease until it expires: %s", claim.execution_id, type(second).__name__)


def _end_stumbling(context: StepContext, done: Pass, kind: str) -> None:
    sentence = f"The portal failed again and again in this step ({kind})."
    result = _give_up(context, "portal_error", sentence)
    try:
        finish_step(context.claim, done, result, keep_lease=False)
    except FencedOff:
        raise
    except Exception as error:
        logger.error("run %s could not be ended in order: %s", context.claim.execution_id, type(error).__name__)
        finish_step(context.claim, done, Halt(code="portal_error", sentence=sentence), keep_lease=False)
