"""The copy at the restore point: what a restored branch is compared with."""

from __future__ import annotations

import datetime as dt

from backups.domain.execution import BranchFate, BranchPurpose
from backups.models import Execution, OwnedBranch, RestoreRequest
from backups.selectors.restore import preserved_branch
from backups.services.execution.context import StepContext
from backups.services.execution.intents import Refused, Waiting
from backups.services.execution.lookups import branch_exists
from backups.services.execution.own_copies import (
    Copy,
    CopyFailed,
    CopyPlan,
    ask_for_copy,
    expiry,
    note_present,
    seconds_until_usable,
)
from backups.services.execution.results import Again, StepResult

#: Long enough for a slow verification and for a person to verify again.
_LIFE = dt.timedelta(days=1)
_LOOK_SECONDS = 10.0


def preview_of(request: RestoreRequest) -> OwnedBranch | None:
    """The copy that the facts voted on were read from."""
    return OwnedBranch.objects.filter(
        request=request, name=request.preview_name, purpose=BranchPurpose.PREVIEW, fate=BranchFate.PRESENT
    ).first()


def find_reference(context: StepContext) -> str | None:
    """The copy's id at Neon: noted before, or the preview of this revision if Neon still has it. Raises NeonError."""
    noted = context.memory.get("reference_branch_id")
    preview = preview_of(context.request)
    for branch_id in (noted, preview.neon_branch_id if preview else None):
        if branch_id and branch_exists(context.client, context.project_id, branch_id):
            return str(branch_id)
    return None


def make_reference(context: StepContext) -> StepResult | None:
    """Makes the copy once more, out of the history that the preserved branch keeps. None: it can't be made."""
    try:
        return _make(context)
    except CopyFailed:
        return None


def _make(context: StepContext) -> StepResult | None:
    source = _source(context)
    if source is None:
        return None
    plan = _plan(context, source)
    result, made = ask_for_copy(context, plan)
    if made is not None:
        return _made(context, plan, made)
    if isinstance(result, Waiting):
        return _again(result.after_seconds, result.sentence)
    if isinstance(result, Refused) and result.retry_after_seconds is not None:
        return _again(result.retry_after_seconds, result.sentence)
    return None


def _made(context: StepContext, plan: CopyPlan, made: Copy) -> StepResult:
    def commit(run: Execution) -> None:
        note_present(run, made, plan.name)

    wait = seconds_until_usable(context, made, plan, seconds=_LOOK_SECONDS)
    return Again(
        after_seconds=wait or 0,
        waiting_for="the copy at the restore point",
        sentence=plan.name,
        memory={"reference_branch_id": made.branch_id} if wait is None else {},
        commit=commit,
    )


def _again(after_seconds: float, sentence: str) -> Again:
    return Again(after_seconds=after_seconds, waiting_for="the copy at the restore point", sentence=sentence)


def _source(context: StepContext) -> str | None:
    """The history up to the restore moved to the preserved branch; an undo's source is untouched by it."""
    request = context.request
    if request.snapshot_id:
        return str(context.branch.neon_branch_id)
    if request.source_branch_id != context.branch.neon_branch_id:
        return request.source_branch_id
    kept = preserved_branch(request)
    return kept.neon_branch_id if kept else None


def _plan(context: StepContext, source: str) -> CopyPlan:
    request = context.request
    return CopyPlan(
        name=f"verify_{request.reference}_{context.execution.review_round}",
        source_branch_id=source,
        point=request.point,
        purpose=BranchPurpose.PREVIEW,
        owner_name=request.requester_name,
        expires_at=None if request.snapshot_id else expiry(_LIFE),
        annotation={"portal_request": request.reference},
        request=request,
    )
