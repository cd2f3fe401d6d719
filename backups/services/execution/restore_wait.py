"""Waits until Neon is done, and reads back what it did."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings

from backups.domain.execution import BranchFate, BranchPurpose, ExecutionState, Step
from backups.domain.restore import RestoreKind
from backups.models import Execution, Intent, OwnedBranch
from backups.neon.errors import NeonNotFound
from backups.neon.operations import Polling
from backups.neon.results import OperationsState, Progress
from backups.neon.types import Branch, Operation
from backups.neon.wire import parse_time
from backups.selectors.clock import database_now
from backups.services.execution.context import StepContext
from backups.services.execution.events import record_run
from backups.services.execution.restore_common import applied_intent, halt
from backups.services.execution.restore_handover import copy_id, note_handed_over
from backups.services.execution.restore_snapshot import exchanged, followed
from backups.services.execution.results import Advance, Again, StepResult
from backups.services.execution.served import branch_of
from backups.services.execution.waits import polling_pauses

#: Kept back from the step for reading back and writing down.
_MARGIN_SECONDS = 4.0


def wait(context: StepContext) -> StepResult:
    """Polls the operations, then reads the branch and the preserved branch."""
    intent = applied_intent(context.execution)
    if intent is None:
        return halt("effect_unknown", "No order that Neon carried out is on record.")
    state = _operations(context, intent)
    if state is not None and state.progress is Progress.RUNNING:
        return _still_running(context, state)
    # A review looks at what is there, however it came about.
    if state is not None and state.progress is Progress.FAILED and context.execution.state == ExecutionState.ACTIVE:
        return _failed(context, state)
    operations = state.operations if state is not None else ()
    if context.request.kind == RestoreKind.SNAPSHOT:
        return _read_exchange_back(context, intent, operations)
    if RestoreKind(context.request.kind).overwrites:
        return _read_back(context, intent, operations)
    return _read_copy_back(context, intent)


def _operations(context: StepContext, intent: Intent) -> OperationsState | None:
    """None: Neon does not know them any more, so only the branch itself can tell."""
    polling = Polling(
        first_seconds=settings.EXECUTION_POLL_SECONDS, longest_seconds=settings.EXECUTION_POLL_LONGEST_SECONDS
    )
    try:
        return context.client.operations.wait_for(
            context.project_id,
            intent.operation_ids,
            deadline_seconds=max(0.0, context.remaining_seconds() - _MARGIN_SECONDS),
            failed_grace_seconds=settings.EXECUTION_FAILED_GRACE_SECONDS,
            polling=polling,
        )
    except NeonNotFound:
        return None


def _still_running(context: StepContext, state: OperationsState) -> StepResult:
    ahead = [each for each in state.operations if not each.succeeded]
    names = ", ".join(sorted({f"{each.action or 'operation'} {each.status or 'unknown'}" for each in ahead}))
    if _patience_is_over(context):
        return halt("operations_stuck", f"Neon took the order and does not finish it: {names}.")
    return Again(after_seconds=0, waiting_for="Neon's operations to finish", sentence=names)


def _failed(context: StepContext, state: OperationsState) -> StepResult:
    """The state before may be kept all the same; then people can still go back to it."""
    names = ", ".join(f"{each.action or 'operation'} {each.status}" for each in state.failed)
    kept = context.client.branches.find_by_name(context.project_id, context.request.preserve_name)
    halted = halt("operations_failed", f"Neon took the order and failed to finish it: {names}. Look at the branch.")

    def commit(run: Execution) -> None:
        if kept is not None:
            _note_preserved(run, kept)
        if halted.commit is not None:
            halted.commit(run)

    return replace(halted, commit=commit)


def _read_back(context: StepContext, intent: Intent, operations: Sequence[Operation]) -> StepResult:
    for pause in polling_pauses():
        branches = context.client.branches.list(context.project_id)
        target = _by_id(branches, context.branch.neon_branch_id)
        kept = next((each for each in branches if each.name == intent.name), None)
        if target is not None and target.is_ready and kept is not None:
            return _restored(context, intent, operations, target, kept, branches)
        if not context.pause(pause):
            break
    if _patience_is_over(context):
        return halt("not_as_ordered", _what_is_wrong(context, target, kept))
    return Again(after_seconds=1, waiting_for="the restored branch", sentence=_what_is_wrong(context, target, kept))


def _read_exchange_back(context: StepContext, intent: Intent, operations: Sequence[Operation]) -> StepResult:
    for pause in polling_pauses():
        target, kept = exchanged(intent, context.client.branches.list(context.project_id))
        if target is not None and target.is_ready and kept is not None:
            return followed(context, target, kept, operations)
        if not context.pause(pause):
            break
    if _patience_is_over(context):
        return halt("not_as_ordered", _what_is_wrong(context, target, kept))
    return Again(after_seconds=1, waiting_for="the restored branch", sentence=_what_is_wrong(context, target, kept))


def _what_is_wrong(context: StepContext, target: Branch | None, kept: Branch | None) -> str:
    if target is None:
        return "Neon does not show the branch with the restored content."
    if kept is None:
        return f"Neon does not show {context.request.preserve_name}, the state before the restore."
    return f"The branch is {target.current_state} and not ready."


def _restored(
    context: StepContext,
    intent: Intent,
    operations: Sequence[Operation],
    target: Branch,
    kept: Branch,
    branches: Sequence[Branch],
) -> StepResult:
    if _was_not_reset(intent, target, operations):
        return halt("not_reset", "Neon reports no error, but the branch was not reset.")
    memory: dict[str, Any] = {
        "preserved_branch_id": kept.id,
        "last_reset_at": target.last_reset_at.isoformat() if target.last_reset_at else None,
        "operations_ended_at": _latest(operations),
        "children_moved": sorted(each.id for each in branches if each.parent_id == kept.id),
    }
    return Advance(
        to=Step.CONNECT,
        sentence=f"The branch is back; the state before is kept as {kept.name}.",
        memory=memory,
        commit=lambda run: _note_preserved(run, kept),
    )


def _was_not_reset(intent: Intent, target: Branch, operations: Sequence[Operation]) -> bool:
    """Neon counts in whole seconds, so an equal time proves nothing while its own operations say that it was done."""
    before = intent.facts.get("last_reset_at")
    unchanged = target.last_reset_at == (parse_time(before) if before else None)
    return target.last_reset_at is None or (unchanged and not operations)


def _note_preserved(run: Execution, kept: Branch) -> None:
    OwnedBranch.objects.filter(project=run.project, name=kept.name, purpose=BranchPurpose.PRESERVED).update(
        neon_branch_id=kept.id, fate=BranchFate.PRESENT
    )
    details = {"branch": branch_of(run).neon_branch_id, "preserved_branch": kept.id, "preserved_name": kept.name}
    record_run(run, type="execution.preserved", details=details)


def _read_copy_back(context: StepContext, intent: Intent) -> StepResult:
    for pause in polling_pauses():
        branch_id = copy_id(context, intent)
        copy = context.client.branches.get(context.project_id, branch_id) if branch_id else None
        if copy is not None and copy.is_ready:
            return _handed_over(branch_id)
        if not context.pause(pause):
            break
    if _patience_is_over(context):
        return halt("copy_not_ready", "The copy does not become ready.")
    return Again(after_seconds=1, waiting_for="the copy", sentence="The copy is not ready yet.")


def _handed_over(branch_id: str) -> Advance:
    return Advance(
        to=Step.CONNECT,
        sentence="The copy is ready.",
        memory={"copy_branch_id": branch_id},
        commit=lambda run: note_handed_over(run, branch_id),
    )


def _patience_is_over(context: StepContext) -> bool:
    since = context.execution.waiting_since
    return since is not None and database_now() - since >= dt.timedelta(seconds=settings.EXECUTION_PATIENCE_SECONDS)


def _latest(operations: Sequence[Operation]) -> str | None:
    ended = [each.updated_at for each in operations if each.updated_at]
    return max(ended).isoformat() if ended else None


def _by_id(branches: Sequence[Branch], branch_id: str) -> Branch | None:
    return next((branch for branch in branches if branch.id == branch_id), None)
