"""The rows and events of intents. Each function is one transaction."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from backups.domain.execution import ExecutionState, IntentKind, IntentOutcome
from backups.domain.ledger import Outcome
from backups.ledger.fields import Detail
from backups.models import Execution, Intent
from backups.neon.wire import parse_time
from backups.selectors.clock import database_now
from backups.services.execution.claim import FencedOff, lock_run
from backups.services.execution.context import StepContext
from backups.services.execution.crash_points import crash_point
from backups.services.execution.events import record_run

UNSETTLED = frozenset({IntentOutcome.PENDING, IntentOutcome.UNKNOWN})


def newest_intent(execution: Execution, kind: IntentKind, name: str) -> Intent | None:
    """The latest intent of this run for this effect."""
    return Intent.objects.filter(execution=execution, kind=kind, name=name).order_by("-number").first()


def write_intent(
    context: StepContext,
    *,
    kind: IntentKind,
    name: str,
    target_branch_id: str,
    facts: Mapping[str, Any],
    before_commit: Callable[[Execution], None] | None,
) -> Intent:
    """Commits what is about to be sent, if this worker still holds the run for longer than the call can take.

    Raises FencedOff, and whatever `before_commit` raises; then nothing may be sent.
    """
    with transaction.atomic():
        run = lock_run(context.claim)
        now = database_now()
        deadline = now + dt.timedelta(seconds=settings.NEON_CALL_DEADLINE_SECONDS)
        if run.state != ExecutionState.ACTIVE or run.lease_until is None or run.lease_until <= deadline:
            raise FencedOff
        if before_commit is not None:
            before_commit(run)
        intent = Intent.objects.create(
            execution=run,
            kind=kind,
            number=Intent.objects.filter(execution=run).count() + 1,
            name=name,
            target_branch_id=target_branch_id,
            facts=dict(facts),
            fence=context.claim.fence,
            http_request_id=uuid.uuid4(),
            created_at=now,
            call_deadline_at=deadline,
        )
        before = parse_time(intent.facts.get("last_reset_at") or "")
        record_run(run, type="execution.intent", details=_about(intent) | {"last_reset_at": before})
        crash_point("before_intent_commit")
    return intent


def note_lost(context: StepContext, intent: Intent, sentence: str) -> None:
    """The answer did not come. The intent stays unsettled."""
    with transaction.atomic():
        Intent.objects.filter(pk=intent.pk).update(sentence=sentence[:400])
        _tell(context, intent, "execution.effect_unknown", outcome=Outcome.UNKNOWN)


def note_look_up(intent: Intent) -> None:
    """Counts one question to Neon about the intent."""
    Intent.objects.filter(pk=intent.pk).update(look_ups=F("look_ups") + 1)
    intent.look_ups += 1


def settle_applied(context: StepContext, intent: Intent, *, operation_ids: Sequence[str], adopted: bool) -> None:
    """Neon took the order: said so itself, or was found to have done it."""
    with transaction.atomic():
        _settle(intent, IntentOutcome.APPLIED, operation_ids=list(operation_ids))
        details: dict[str, Detail] = {"operation_ids": list(operation_ids)}
        if adopted:
            _tell(context, intent, "execution.adopted", details)
        else:
            _tell(context, intent, "execution.submitted", details | {"submitted_at": intent.created_at})


def settle_refused(context: StepContext, intent: Intent, *, code: str, sentence: str) -> None:
    """Neon did nothing with the call, or it was never sent."""
    with transaction.atomic():
        _settle(intent, IntentOutcome.REFUSED, sentence=sentence)
        _tell(context, intent, "execution.not_taken", {"error": code}, outcome=Outcome.FAILURE)


def settle_not_applied(context: StepContext, intent: Intent) -> None:
    """Looked up after everything was over: the call had no effect."""
    with transaction.atomic():
        _settle(intent, IntentOutcome.NOT_APPLIED)
        _tell(context, intent, "execution.absent")


def settle_unknown(context: StepContext, intent: Intent, sentence: str) -> None:
    """Asked several times without a clear answer. It blocks any further call of its kind until a person decides."""
    with transaction.atomic():
        _settle(intent, IntentOutcome.UNKNOWN, sentence=sentence)
        _tell(context, intent, "execution.effect_unknown", outcome=Outcome.UNKNOWN)


def doubt_refusal(run: Execution, name: str) -> None:
    """Neon denied the newest call, and its trace is there: whoever looks again asks for its effect.

    Runs in the transaction that ends the step.
    """
    denied = Intent.objects.filter(execution=run, name=name, outcome=IntentOutcome.REFUSED).order_by("-number").first()
    if denied is None:
        return
    Intent.objects.filter(pk=denied.pk).update(outcome=IntentOutcome.UNKNOWN, settled_at=None)
    record_run(run, type="execution.effect_unknown", details=_about(denied), outcome=Outcome.UNKNOWN)


def _settle(intent: Intent, outcome: IntentOutcome, *, operation_ids: Sequence[str] = (), sentence: str = "") -> None:
    """Only an unsettled intent can be settled. Raises FencedOff when somebody else has done so since."""
    now = database_now()
    changed = Intent.objects.filter(pk=intent.pk, outcome__in=UNSETTLED).update(
        outcome=outcome,
        operation_ids=list(operation_ids),
        sentence=sentence[:400],
        settled_at=None if outcome is IntentOutcome.UNKNOWN else now,
    )
    if not changed:
        raise FencedOff
    intent.refresh_from_db()


def _tell(
    context: StepContext,
    intent: Intent,
    event_type: str,
    details: Mapping[str, Detail] | None = None,
    *,
    outcome: Outcome = Outcome.SUCCESS,
) -> None:
    about: dict[str, Detail] = {
        "call_id": str(intent.http_request_id),
        "step_name": context.execution.step,
        "fence": context.claim.fence,
        "branch": intent.target_branch_id or None,
        "branch_name": intent.name,
        "effect": intent.kind,
    }
    record_run(context.execution, type=event_type, details=about | dict(details or {}), outcome=outcome)


def _about(intent: Intent) -> dict[str, Detail]:
    return {
        "call_id": str(intent.http_request_id),
        "branch": intent.target_branch_id or None,
        "effect": intent.kind,
        "branch_name": intent.name,
        "fence": intent.fence,
    }
