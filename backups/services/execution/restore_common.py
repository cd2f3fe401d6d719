"""What the steps of a restore share: how it ends, and how long Neon may keep it waiting."""

from __future__ import annotations

import datetime as dt

from backups.domain.execution import IntentOutcome
from backups.domain.restore import RequestState
from backups.models import Execution, Intent, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.policy import policy_in_force
from backups.selectors.restore import orders_of
from backups.services.execution.context import StepContext
from backups.services.execution.results import Again, Commit, Halt, NoEffect, StepResult
from backups.services.execution.served import request_of
from backups.services.restore import outcome
from backups.services.restore.window import extend_start_while_busy


def no_effect(code: str, sentence: str) -> NoEffect:
    """Nothing was changed at Neon. The request fails, or waits for another start if it never ran."""

    def commit(run: Execution) -> None:
        request = RestoreRequest.objects.get(pk=request_of(run).pk)
        if request.state in {RequestState.APPROVED, RequestState.RUNNING}:
            outcome.fail_without_effect(request_id=request.pk, code=code, sentence=sentence)

    return NoEffect(code=code, sentence=sentence, commit=commit)


def halt(code: str, sentence: str) -> Halt:
    """A person decides from here on."""
    return Halt(code=code, sentence=sentence, commit=_needs_attention(code, sentence))


def _needs_attention(code: str, sentence: str) -> Commit:
    def commit(run: Execution) -> None:
        outcome.needs_attention(request_id=request_of(run).pk, code=code, sentence=sentence)

    return commit


def give_up(context: StepContext, code: str, sentence: str) -> StepResult:
    """The run can't go on. Without any call that stands it had no effect; otherwise a person decides."""
    if call_may_stand(context.execution):
        return halt(code, f"{sentence} Neon has, or may have, carried out the order.")
    return no_effect(code, f"{sentence} Nothing was sent to Neon.")


def applied_intent(execution: Execution) -> Intent | None:
    """The call that gave this restore its effect."""
    orders = orders_of(request_of(execution), execution)
    return orders.filter(outcome=IntentOutcome.APPLIED).order_by("number").first()


def call_may_stand(execution: Execution) -> bool:
    """Whether this run's order was, or may have been, carried out."""
    settled = [IntentOutcome.REFUSED, IntentOutcome.NOT_APPLIED]
    return orders_of(request_of(execution), execution).exclude(outcome__in=settled).exists()


def wait_for_neon(context: StepContext, *, after_seconds: float, waiting_for: str, sentence: str) -> StepResult:
    """Before anything was accepted: wait while Neon is busy or unreachable, but not beyond the policy's limit."""
    if database_now() >= _start_limit(context.request):
        return no_effect("neon_busy", f"{sentence} It lasted too long.")
    return Again(
        after_seconds=after_seconds,
        waiting_for=waiting_for,
        sentence=sentence,
        memory={"tries": context.tries + 1},
        commit=lambda run: extend_start_while_busy(request_id=context.request.pk),
    )


def _start_limit(request: RestoreRequest) -> dt.datetime:
    since = request.approved_at or request.created_at
    return since + dt.timedelta(seconds=policy_in_force().start_window_busy_seconds)
