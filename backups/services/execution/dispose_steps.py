"""Removing a branch that the portal made. Whatever is not exactly the branch that was made is left alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.conf import settings

from backups.domain.execution import BranchFate, BranchPurpose, IntentKind, Step
from backups.ledger.fields import Detail
from backups.models import Execution, Intent, OwnedBranch, ProtectedBranch
from backups.neon.errors import NeonNotFound
from backups.neon.results import BranchChange
from backups.neon.types import Branch
from backups.selectors.clock import database_now
from backups.selectors.restore import governing_requests
from backups.services.execution.context import StepContext
from backups.services.execution.events import record_run
from backups.services.execution.intent_records import UNSETTLED, newest_intent
from backups.services.execution.intents import Applied, Change, Refused, Waiting, with_intent
from backups.services.execution.lookups import branch_exists, look_up_deleted
from backups.services.execution.own_copies import is_of_order
from backups.services.execution.results import Again, Finished, NoEffect, StepResult
from backups.services.execution.seal import deletion_waits_for_seal
from backups.services.execution.waits import polling_pauses
from backups.services.look import record_look
from backups.services.observed_facts import one_line
from backups.services.safety_copy.records import copy_is_gone, copy_was_left

_YIELD_SECONDS = 5.0


def remove(context: StepContext) -> StepResult:
    """Finds the branch at Neon and deletes it, unless it is not ours to delete any more."""
    owned = owned_branch_of(context)
    if owned.fate == BranchFate.GONE:
        return Finished(outcome_code="gone", sentence=f"{owned.name} was gone already")
    waits_for = governing_requests(owned.project).first()
    if waits_for is not None:
        return Again(after_seconds=_YIELD_SECONDS, waiting_for=f"{waits_for.reference}, which restores production")
    return _waits_for_seal(owned) or remove_owned(context, owned)


def _waits_for_seal(owned: OwnedBranch) -> Again | None:
    """Where two people agreed on it; what goes because its time is over has nobody's agreement to seal."""
    if owned.safety_copy is not None:
        return deletion_waits_for_seal(kind="safety_copy", target_id=str(owned.safety_copy))
    return deletion_waits_for_seal(kind="branch", target_id=owned.neon_branch_id or str(owned.pk))


def remove_owned(context: StepContext, owned: OwnedBranch) -> StepResult:
    """Deletes the branch and sees that it is gone. NoEffect: it can't be deleted now, or is not ours any more."""
    branch = _find(context, owned)
    if branch is None:
        return _settled(context, owned) or _is_absent(owned)
    if owned.fate == BranchFate.HANDED_OVER:
        return _keep(owned, branch)
    stranger = _not_ours(owned, branch)
    if stranger:
        return _leave(owned, stranger)
    return _delete(context, owned, branch)


def give_up(context: StepContext, code: str, sentence: str) -> StepResult:
    """The branch stays for now; the removal is tried again later, and its expiry removes it in any case."""
    return _not_removed(owned_branch_of(context), code, sentence)


def owned_branch_of(context: StepContext) -> OwnedBranch:
    """The branch that the run is to remove."""
    owned = context.execution.owned_branch
    if owned is None:
        raise LookupError("a run of this purpose always has a branch to remove")
    return owned


def _find(context: StepContext, owned: OwnedBranch) -> Branch | None:
    if not owned.neon_branch_id:
        return context.client.branches.find_by_name(context.project_id, owned.name)
    try:
        return context.client.branches.get(context.project_id, owned.neon_branch_id)
    except NeonNotFound:
        return None


def _is_absent(owned: OwnedBranch) -> StepResult:
    """A branch whose order got lost may still come until the order is too old to arrive."""
    order = Intent.objects.filter(name=owned.name, kind=IntentKind.CREATE_BRANCH).order_by("-created_at").first()
    if owned.fate == BranchFate.INTENDED and order is not None:
        settled_at = order.call_deadline_at + dt.timedelta(seconds=settings.EXECUTION_SETTLE_SECONDS)
        left = (settled_at - database_now()).total_seconds()
        if left > 0:
            return Again(after_seconds=left, waiting_for="the lost order to be too old to arrive")
    return Finished(
        outcome_code="gone", sentence=f"{owned.name} is gone", commit=lambda run: _mark_gone(run, owned, "found_gone")
    )


def _not_ours(owned: OwnedBranch, branch: Branch) -> str:
    """Somebody may have taken the branch into use; then it is theirs."""
    if branch.name != owned.name:
        return "it was given another name"
    snapshot_id = owned.request.snapshot_id if owned.request else ""
    if not owned.neon_branch_id and not is_of_order(branch, owned.expires_at, snapshot_id):
        return "it has our name, but it is not the branch that was ordered"
    if ProtectedBranch.objects.filter(project=owned.project, neon_branch_id=branch.id).exists():
        return "it is a branch in the portal's care now"
    if branch.default or branch.protected:
        return "it is now the default branch or protected"
    return ""


def _keep(owned: OwnedBranch, branch: Branch) -> StepResult:
    """A copy that was handed over lives as long as its owner wants."""

    def commit(_: Execution) -> None:
        OwnedBranch.objects.filter(pk=owned.pk).update(expires_at=branch.expires_at)

    return Finished(outcome_code="kept", sentence=f"{branch.name} is in use and stays", commit=commit)


def _leave(owned: OwnedBranch, why: str) -> StepResult:
    def commit(run: Execution) -> None:
        OwnedBranch.objects.filter(pk=owned.pk).update(fate=BranchFate.HANDED_OVER, expires_at=None)
        record_run(run, type="execution.cleanup_failed", details=_about(owned) | {"error": "not_ours"})
        if owned.safety_copy_id is not None:
            copy_was_left(copy_id=owned.safety_copy_id, code="not_ours")

    return NoEffect(code="not_ours", sentence=f"{owned.name} was left alone: {why}.", commit=commit)


def _settled(context: StepContext, owned: OwnedBranch) -> StepResult | None:
    """An order of this run whose answer nobody heard, and whose effect is there: it is found and adopted."""
    order = newest_intent(context.execution, IntentKind.DELETE_BRANCH, owned.name)
    if order is None or order.outcome not in UNSETTLED:
        return None
    result = with_intent(context, _deletion(context, owned, order.target_branch_id))
    if isinstance(result, Applied):
        return None
    return Again(after_seconds=1, waiting_for="Neon to remove it", sentence=result.sentence)


def _deletion(context: StepContext, owned: OwnedBranch, branch_id: str) -> Change:
    def send(intent: Intent) -> BranchChange:
        return context.client.branches.delete(context.project_id, branch_id, request_id=str(intent.http_request_id))

    return Change(
        kind=IntentKind.DELETE_BRANCH,
        name=owned.name,
        target_branch_id=branch_id,
        send=send,
        look_up=look_up_deleted(context),
    )


def _delete(context: StepContext, owned: OwnedBranch, branch: Branch) -> StepResult:
    result = with_intent(context, _deletion(context, owned, branch.id))
    if isinstance(result, Applied):
        return _seen_gone(context, owned, branch)
    if isinstance(result, Waiting):
        return Again(after_seconds=result.after_seconds, waiting_for="Neon to remove it", sentence=result.sentence)
    if isinstance(result, Refused) and result.retry_after_seconds is not None:
        return Again(
            after_seconds=result.retry_after_seconds,
            waiting_for="Neon to finish other work in this project",
            sentence=result.sentence,
        )
    return _not_removed(owned, "refused", result.sentence)


def _seen_gone(context: StepContext, owned: OwnedBranch, branch: Branch) -> StepResult:
    """Neon took the deletion; it counts when Neon shows the branch no more."""
    for pause in polling_pauses():
        if not branch_exists(context.client, context.project_id, branch.id):
            return Finished(
                outcome_code="removed", sentence=f"{owned.name} removed", commit=lambda run: _mark_gone(run, owned)
            )
        if not context.pause(pause):
            break
    return Again(after_seconds=1, waiting_for="Neon to remove it")


def _not_removed(owned: OwnedBranch, code: str, sentence: str) -> StepResult:
    def commit(run: Execution) -> None:
        record_cleanup_failed(run, owned, code)

    words = f"{owned.name} was not removed: {one_line(sentence)}. It is tried again later."
    return NoEffect(code=code, sentence=words, commit=commit)


def record_cleanup_failed(run: Execution, owned: OwnedBranch, code: str) -> None:
    """The event of a branch of ours that could not be removed, in the transaction that ends the step."""
    record_run(run, type="execution.cleanup_failed", details=_about(owned) | {"error": code})


def _mark_gone(run: Execution, owned: OwnedBranch, means: str = "removed") -> None:
    OwnedBranch.objects.filter(pk=owned.pk).update(fate=BranchFate.GONE, gone_at=database_now())
    if owned.purpose == BranchPurpose.LOOK and owned.look is not None:
        record_look(owned.look, "look.removed", None, {"branch": owned.neon_branch_id or None})
        return
    if owned.safety_copy_id is not None:
        copy_is_gone(copy_id=owned.safety_copy_id, means=means)
    record_run(run, type="execution.cleaned_up", details=_about(owned))


def _about(owned: OwnedBranch) -> dict[str, Detail]:
    return {"branch": owned.neon_branch_id or None, "branch_name": owned.name}


STEPS: dict[Step, Callable[[StepContext], StepResult]] = {Step.REMOVE: remove}
