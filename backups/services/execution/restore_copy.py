"""The copy that becomes the branch is looked at once more, while nothing is overwritten yet."""

from __future__ import annotations

from backups.domain.execution import CheckOutcome, Step
from backups.models import CheckResult, Execution, OwnedBranch
from backups.services.execution.context import StepContext
from backups.services.execution.intents import IntentResult, NotSent, Refused, Unknown, Waiting
from backups.services.execution.lookups import branch_exists
from backups.services.execution.own_copies import (
    Copy,
    CopyFailed,
    ask_for_copy,
    note_gone,
    note_present,
    seconds_until_usable,
)
from backups.services.execution.prepare_steps import preview_plan
from backups.services.execution.restore_common import no_effect, wait_for_neon
from backups.services.execution.restore_finish import names_of
from backups.services.execution.restore_reference import preview_of
from backups.services.execution.restore_verify import check_copy
from backups.services.execution.results import Advance, Again, StepResult

_LOOK_SECONDS = 10.0
_WAITING_FOR = "the copy of the snapshot"


def find_copy(context: StepContext) -> StepResult:
    """The copy that was voted on, or another one of the same snapshot where Neon has it no more."""
    preview = preview_of(context.request)
    try:
        if preview is not None and branch_exists(context.client, context.project_id, preview.neon_branch_id):
            return _found_before(context, preview)
        if preview is not None:
            note_gone(context, preview)
        return _make(context)
    except CopyFailed as failure:
        return no_effect("copy_failed", f"{failure} The branch was not touched.")


def rehearse(context: StepContext) -> StepResult:
    """Only a copy that passes its required checks takes the branch's place."""
    copy = Copy(**context.memory["copy"])
    unfinished = check_copy(context, copy.branch_id)
    if unfinished is not None:
        return unfinished
    run = context.execution
    rows = CheckResult.objects.filter(execution=run, review_round=run.review_round, before_effect=True)
    bad = [row for row in rows if row.is_required and row.outcome != CheckOutcome.PASSED]
    if bad:
        return no_effect("copy_not_good", f"The copy did not pass: {names_of(bad)}. The branch was not touched.")
    # Time has passed since everything was compared with the packet.
    return Advance(to=Step.PREFLIGHT, memory={"rehearsed": copy.branch_id}, sentence="The copy passed its checks.")


def _found_before(context: StepContext, preview: OwnedBranch) -> StepResult:
    """The preparation leaves it ready, or ran out of time before it was."""
    copy = Copy(preview.neon_branch_id, asked_at=preview.created_at.isoformat())
    wait = seconds_until_usable(context, copy, preview_plan(context.request), seconds=_LOOK_SECONDS)
    return _found(copy) if wait is None else Again(after_seconds=wait, waiting_for=_WAITING_FOR)


def _found(copy: Copy) -> Advance:
    return Advance(to=Step.REHEARSE, memory={"copy": copy.to_json()}, sentence="The copy is there.")


def _make(context: StepContext) -> StepResult:
    plan = preview_plan(context.request)
    result, made = ask_for_copy(context, plan)
    if made is None:
        return _not_made(context, result)

    def commit(run: Execution) -> None:
        note_present(run, made, plan.name)

    wait = seconds_until_usable(context, made, plan, seconds=_LOOK_SECONDS)
    if wait is not None:
        return Again(after_seconds=wait, waiting_for=_WAITING_FOR, commit=commit)
    found = _found(made)
    return Advance(to=found.to, memory=found.memory, sentence=f"The copy {plan.name} was made anew.", commit=commit)


def _not_made(context: StepContext, result: IntentResult) -> StepResult:
    if isinstance(result, Waiting):
        return Again(after_seconds=result.after_seconds, waiting_for=_WAITING_FOR, sentence=result.sentence)
    if isinstance(result, Refused) and result.retry_after_seconds is not None:
        wait = result.retry_after_seconds
        return wait_for_neon(context, after_seconds=wait, waiting_for=_WAITING_FOR, sentence=result.sentence)
    if isinstance(result, NotSent) and context.execution.stop_asked_by_name:
        return no_effect("stopped", result.sentence)
    why = result.sentence if isinstance(result, Refused | Unknown | NotSent) else "Neon did not show it."
    return no_effect("copy_failed", f"The copy of the snapshot is gone and was not made again. {why}")
