"""A restore to a new branch: the copy that was voted on gets its final name and keeps its data."""

from __future__ import annotations

import datetime as dt

from backups.domain.execution import UNSETTLED_OR_APPLIED, BranchFate, BranchPurpose, IntentKind
from backups.models import Execution, Intent, OwnedBranch
from backups.neon.results import BranchChange
from backups.selectors.clock import database_now
from backups.services.execution.context import StepContext
from backups.services.execution.intent_records import newest_intent
from backups.services.execution.intents import Change, IntentResult, with_intent
from backups.services.execution.lookups import branch_exists, look_up_updated
from backups.services.execution.own_copies import LONGEST_LIFE, CopyPlan, ask_for_copy
from backups.services.execution.restore_begin import begin
from backups.services.execution.restore_reference import preview_of
from backups.services.execution.served import request_of

#: A copy that nobody said how long to keep.
_DEFAULT_LIFE = dt.timedelta(days=7)


def hand_over(context: StepContext) -> IntentResult:
    """Renames the preview copy, or makes a copy at the point where there is none any more. Raises StartRefused."""
    begun = newest_intent(context.execution, IntentKind.UPDATE_BRANCH, context.request.copy_name)
    if begun is not None and begun.outcome in UNSETTLED_OR_APPLIED:
        return _rename(context, begun.target_branch_id)
    preview = preview_of(context.request)
    if preview is not None and branch_exists(context.client, context.project_id, preview.neon_branch_id):
        return _rename(context, preview.neon_branch_id)
    result, _ = ask_for_copy(context, copy_plan(context), before_commit=begin)
    return result


def copy_id(context: StepContext, intent: Intent) -> str:
    """Neon's id of the branch that is handed over."""
    if intent.kind == IntentKind.UPDATE_BRANCH:
        return intent.target_branch_id
    found = context.client.branches.find_by_name(context.project_id, intent.name)
    return found.id if found else ""


def note_handed_over(run: Execution, branch_id: str) -> None:
    """The copy belongs to the requester from now on, under its final name."""
    request = request_of(run)
    ours = OwnedBranch.objects.filter(project=run.project)
    known = ours.filter(neon_branch_id=branch_id) if branch_id else ours.none()
    copy = known.first() or ours.get(name=request.copy_name)
    copy.name = request.copy_name
    copy.neon_branch_id = branch_id
    copy.purpose = BranchPurpose.COPY.value
    copy.fate = BranchFate.HANDED_OVER.value
    copy.owner_name = request.requester_name
    copy.expires_at = request.copy_expires_at
    copy.save()


def copy_plan(context: StepContext) -> CopyPlan:
    """The copy as a branch of its own, for when the preview copy is gone."""
    request = context.request
    return CopyPlan(
        name=request.copy_name,
        source_branch_id=request.source_branch_id,
        point=request.point,
        purpose=BranchPurpose.COPY,
        owner_name=request.requester_name,
        expires_at=_expires_at(request.copy_expires_at),
        annotation={"portal_request": request.reference},
        request=request,
    )


def _expires_at(wanted: dt.datetime | None) -> dt.datetime:
    now = database_now()
    return min(wanted or now + _DEFAULT_LIFE, now + LONGEST_LIFE).replace(microsecond=0)


def _rename(context: StepContext, branch_id: str) -> IntentResult:
    request = context.request

    def send(intent: Intent) -> BranchChange:
        return context.client.branches.update(
            context.project_id,
            branch_id,
            name=request.copy_name,
            expires_at=_expires_at(request.copy_expires_at),
            request_id=str(intent.http_request_id),
        )

    change = Change(
        kind=IntentKind.UPDATE_BRANCH,
        name=request.copy_name,
        target_branch_id=branch_id,
        send=send,
        look_up=look_up_updated(context),
        before_commit=begin,
    )
    return with_intent(context, change)
