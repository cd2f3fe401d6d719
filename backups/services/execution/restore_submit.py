"""Sends the one call that a restore is about."""

from __future__ import annotations

from backups.domain.execution import EFFECTS, UNSETTLED_OR_APPLIED, ExecutionState, IntentKind, Step
from backups.domain.restore import RestoreKind
from backups.models import Execution, Intent
from backups.neon.results import BranchChange
from backups.services.execution.context import StepContext
from backups.services.execution.intent_records import newest_intent
from backups.services.execution.intents import Applied, Change, IntentResult, NotSent, Refused, Unknown, with_intent
from backups.services.execution.lookups import look_up_restore
from backups.services.execution.restore_begin import begin_overwrite
from backups.services.execution.restore_common import halt, no_effect, wait_for_neon
from backups.services.execution.restore_handover import hand_over
from backups.services.execution.restore_snapshot import exchange
from backups.services.execution.results import Advance, Again, StepResult
from backups.services.execution.seal import wait_for_seal
from backups.services.execution.served import request_of
from backups.services.restore import outcome
from backups.services.restore.errors import StartRefused


def submit(context: StepContext) -> StepResult:
    """Overwrites the branch, or hands the copy over. At most one call ever has an effect."""
    try:
        if RestoreKind(context.request.kind).overwrites:
            return _overwrite(context)
        return submitted(context, hand_over(context))
    except StartRefused as refused:
        return no_effect(refused.code, refused.sentence)


def _overwrite(context: StepContext) -> StepResult:
    if _needs_another_look(context):
        return Advance(to=Step.PREFLIGHT, sentence="Time has passed, so everything is compared once more.")
    unsealed = None if _has_ordered(context) else wait_for_seal(context)
    if unsealed is not None:
        return unsealed
    is_snapshot = context.request.kind == RestoreKind.SNAPSHOT
    return submitted(context, with_intent(context, exchange(context) if is_snapshot else overwrite(context)))


def _needs_another_look(context: StepContext) -> bool:
    """A call is only sent on facts that this very claim has read; an earlier call is looked up whatever they are."""
    before = context.memory.get("before", {})
    if _has_ordered(context):
        return False
    return context.execution.state == ExecutionState.ACTIVE and before.get("fence") != context.claim.fence


def _has_ordered(context: StepContext) -> bool:
    kinds = EFFECTS[RestoreKind(context.request.kind)]
    earlier = (newest_intent(context.execution, kind, context.request.preserve_name) for kind in kinds)
    return any(intent is not None and intent.outcome in UNSETTLED_OR_APPLIED for intent in earlier)


def overwrite(context: StepContext) -> Change:
    """The restore in place, or the undo, as one change at Neon."""
    request, target = context.request, context.branch.neon_branch_id
    before = {name: value for name, value in context.memory.get("before", {}).items() if name != "fence"}

    def send(intent: Intent) -> BranchChange:
        return context.client.branches.restore(
            context.project_id,
            target_branch_id=target,
            source_branch_id=request.source_branch_id,
            preserve_under_name=request.preserve_name,
            source_timestamp=request.point_at,
            source_lsn=request.point_lsn or None,
            request_id=str(intent.http_request_id),
        )

    return Change(
        kind=IntentKind.RESTORE_BRANCH,
        name=request.preserve_name,
        target_branch_id=target,
        facts=before | {"source": request.source_branch_id, "point": request.point.for_neon()},
        send=send,
        look_up=look_up_restore(context, target),
        before_commit=begin_overwrite,
    )


def submitted(context: StepContext, result: IntentResult) -> StepResult:
    """What the step comes to, by what became of its call."""
    if isinstance(result, Applied):
        return _taken(context, result)
    if isinstance(result, Refused):
        return _refused(context, result)
    if isinstance(result, Unknown):
        return halt("effect_unknown", f"It is not known whether Neon carried out the order. {result.sentence}")
    if isinstance(result, NotSent):
        return _not_sent(context, result)
    return Again(
        after_seconds=result.after_seconds, waiting_for="a clear answer about the order", sentence=result.sentence
    )


def _taken(context: StepContext, applied: Applied) -> Advance:
    at = applied.intent.created_at

    def commit(run: Execution) -> None:
        outcome.note_submitted(request_id=request_of(run).pk, at=at)

    how = "The order was found at Neon." if applied.adopted else "Neon took the order."
    return Advance(to=Step.WAIT, sentence=how, memory={"submitted_at": at.isoformat()}, commit=commit)


def _refused(context: StepContext, refused: Refused) -> StepResult:
    if refused.retry_after_seconds is None:
        return no_effect(refused.code, refused.sentence)
    return wait_for_neon(
        context,
        after_seconds=refused.retry_after_seconds,
        waiting_for="Neon to take the order",
        sentence=refused.sentence,
    )


def _not_sent(context: StepContext, not_sent: NotSent) -> StepResult:
    if context.execution.stop_asked_by_name:
        return no_effect("stopped", not_sent.sentence)
    return halt("no_trace", not_sent.sentence)
