"""Removing a snapshot that the portal made: by row and id and name, all three, or it is left alone."""

from __future__ import annotations

from collections.abc import Callable

from backups.domain.execution import IntentKind, Step
from backups.domain.safety_copy import CopyState
from backups.models import Execution, Intent, SafetyCopy
from backups.neon.results import OperationsStarted
from backups.neon.snapshots import Snapshot
from backups.selectors.restore import governing_requests
from backups.services.execution.context import StepContext
from backups.services.execution.events import record_run
from backups.services.execution.intents import Absent, Applied, Change, Found, LookUp, Refused, Waiting, with_intent
from backups.services.execution.results import Again, Finished, NoEffect, StepResult
from backups.services.execution.safety_copy_steps import copy_of
from backups.services.execution.seal import deletion_waits_for_seal
from backups.services.observed_facts import one_line
from backups.services.safety_copy.records import copy_is_gone, copy_was_left

_YIELD_SECONDS = 5.0


def remove(context: StepContext) -> StepResult:
    """Deletes the snapshot, unless it is gone or somebody has taken it over."""
    copy = copy_of(context)
    if copy.state != CopyState.MADE:
        return Finished(outcome_code="nothing_to_do", sentence=f"{copy.reference} is {copy.state}")
    waits_for = governing_requests(context.execution.project).first()
    if waits_for is not None:
        return Again(after_seconds=_YIELD_SECONDS, waiting_for=f"{waits_for.reference}, which restores production")
    unsealed = deletion_waits_for_seal(kind="safety_copy", target_id=str(copy))
    if unsealed is not None:
        return unsealed
    found = _find(context, copy)
    if found is None:
        return _gone(copy, "found_gone")
    if found.name != copy.name:
        return _left(copy, "renamed")
    return _delete(context, copy)


def give_up(context: StepContext, code: str, sentence: str) -> StepResult:
    """It stays for now; the removal is tried again later, and its expiry at Neon removes it in any case."""
    return _not_removed(copy_of(context), code, sentence)


def _find(context: StepContext, copy: SafetyCopy) -> Snapshot | None:
    taken = context.client.snapshots.list(context.project_id)
    return next((snapshot for snapshot in taken if snapshot.id == copy.neon_id), None)


def _delete(context: StepContext, copy: SafetyCopy) -> StepResult:
    def send(intent: Intent) -> OperationsStarted:
        return context.client.snapshots.delete(context.project_id, copy.neon_id, request_id=str(intent.http_request_id))

    def look_up(intent: Intent) -> LookUp:
        return Found() if _find(context, copy) is None else Absent()

    change = Change(
        kind=IntentKind.DELETE_SNAPSHOT,
        name=copy.name,
        target_branch_id=copy.branch.neon_branch_id,
        facts={"snapshot": copy.neon_id},
        send=send,
        look_up=look_up,
    )
    result = with_intent(context, change)
    if isinstance(result, Applied):
        return _gone(copy, "removed")
    if isinstance(result, Waiting):
        return Again(after_seconds=result.after_seconds, waiting_for="Neon to remove it", sentence=result.sentence)
    if isinstance(result, Refused) and result.retry_after_seconds is not None:
        return Again(
            after_seconds=result.retry_after_seconds,
            waiting_for="Neon to finish other work in this project",
            sentence=result.sentence,
        )
    return _not_removed(copy, "refused", result.sentence)


def _gone(copy: SafetyCopy, means: str) -> StepResult:
    return Finished(
        outcome_code=means,
        sentence=f"{copy.name} is gone",
        commit=lambda run: copy_is_gone(copy_id=copy.pk, means=means),
    )


def _left(copy: SafetyCopy, code: str) -> StepResult:
    return NoEffect(
        code=code,
        sentence=f"{copy.name} was left alone: it was given another name.",
        commit=lambda run: copy_was_left(copy_id=copy.pk, code=code),
    )


def _not_removed(copy: SafetyCopy, code: str, sentence: str) -> StepResult:
    def commit(run: Execution) -> None:
        record_run(run, type="execution.cleanup_failed", details={"branch_name": copy.name, "error": code})

    words = f"{copy.name} was not removed: {one_line(sentence)}. It is tried again later."
    return NoEffect(code=code, sentence=words, commit=commit)


STEPS: dict[Step, Callable[[StepContext], StepResult]] = {Step.REMOVE: remove}
