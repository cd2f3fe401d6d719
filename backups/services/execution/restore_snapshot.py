"""A restore from a snapshot: the order that puts its content in the place of the branch, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backups.domain.execution import IntentKind, Step
from backups.domain.restore import SnapshotMode
from backups.models import Execution, Intent, RestoreRequest
from backups.neon.results import BranchChange, OperationsStarted
from backups.neon.types import Branch, Operation
from backups.services.execution.context import StepContext
from backups.services.execution.events import record_run, the_worker
from backups.services.execution.intents import Change
from backups.services.execution.restore_begin import begin
from backups.services.execution.restore_common import halt
from backups.services.execution.results import Advance, StepResult
from backups.services.execution.served import branch_of, request_of
from backups.services.execution.snapshot_lookups import holder_of, is_of_order, look_up_exchange
from backups.services.rekey import rekey_branch


def is_preview_first(request: RestoreRequest) -> bool:
    """Whether the copy that was voted on becomes the branch."""
    return bool(request.snapshot_mode == SnapshotMode.PREVIEW_FIRST)


def exchange(context: StepContext) -> Change:
    """The one call that replaces the branch by the snapshot's content."""
    if is_preview_first(context.request):
        return _promote_copy(context)
    return _restore_in_one_step(context)


def copy_of_order(intent: Intent) -> str:
    """The copy that was to take the place; empty for a one-step restore."""
    return str(intent.facts.get("copy_id", ""))


def exchanged(intent: Intent, branches: Sequence[Branch]) -> tuple[Branch | None, Branch | None]:
    """What has the branch's name since this order, and what it replaced; None for what Neon does not show yet."""
    holder = holder_of(intent.facts, branches)
    if holder is not None and not is_of_order(intent.facts, holder, copy_of_order(intent)):
        holder = None
    return holder, next((branch for branch in branches if branch.id == intent.facts["branch_id"]), None)


def followed(context: StepContext, target: Branch, kept: Branch, operations: Sequence[Operation]) -> StepResult:
    """The governed branch goes on under the id that its content has now."""
    if target.id == kept.id:
        return halt("not_replaced", "Neon reports no error, but the branch was not replaced.")

    def commit(run: Execution) -> None:
        request = request_of(run)
        rekey_branch(branch_id=branch_of(run).pk, found=target, kept=kept, request=request, actor=the_worker())
        details = {"branch": target.id, "preserved_branch": kept.id, "preserved_name": kept.name}
        record_run(run, type="execution.preserved", details=details)

    ended = [each.updated_at for each in operations if each.updated_at]
    memory: dict[str, Any] = {
        "preserved_branch_id": kept.id,
        "restored_branch_id": target.id,
        "operations_ended_at": max(ended).isoformat() if ended else None,
    }
    sentence = f"{target.name} holds the snapshot; the state before is kept as {kept.name}."
    return Advance(to=Step.CONNECT, sentence=sentence, memory=memory, commit=commit)


def _restore_in_one_step(context: StepContext) -> Change:
    request, target = context.request, context.branch.neon_branch_id

    def send(intent: Intent) -> BranchChange:
        return context.client.snapshots.restore(
            context.project_id,
            request.snapshot_id,
            target_branch_id=target,
            finalize=True,
            request_id=str(intent.http_request_id),
        )

    return Change(
        kind=IntentKind.RESTORE_SNAPSHOT,
        name=request.preserve_name,
        target_branch_id=target,
        facts=_before(context),
        send=send,
        look_up=look_up_exchange(context),
        before_commit=begin,
    )


def _promote_copy(context: StepContext) -> Change:
    request = context.request
    copy_id = str(context.memory["copy"]["branch_id"])

    def send(intent: Intent) -> OperationsStarted:
        return context.client.branches.finalize_restore(
            context.project_id, copy_id, name=request.preserve_name, request_id=str(intent.http_request_id)
        )

    return Change(
        kind=IntentKind.FINALIZE_RESTORE,
        name=request.preserve_name,
        target_branch_id=copy_id,
        facts=_before(context) | {"copy_id": copy_id},
        send=send,
        look_up=look_up_exchange(context, copy_id),
        before_commit=begin,
    )


def _before(context: StepContext) -> dict[str, Any]:
    return {name: value for name, value in context.memory.get("before", {}).items() if name != "fence"}
