"""The end of a drill: its copy is deleted and seen to be gone, and the outcome is written."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings

from backups.domain.drill_verdict import Trouble, Verdict, verdict
from backups.domain.execution import BranchFate, Step
from backups.models import Execution, OwnedBranch
from backups.selectors.clock import database_now
from backups.services.drill import outcome
from backups.services.execution.context import StepContext
from backups.services.execution.dispose_steps import record_cleanup_failed, remove_owned
from backups.services.execution.drill_frame import CANCELLED, drill_of, to_removal, trouble_of
from backups.services.execution.drill_verdict import counted_checks, measured
from backups.services.execution.results import Advance, Again, Finished, NoEffect, StepResult
from backups.services.observed_facts import one_line

STAYS = "Its copy could not be removed yet: the portal goes on trying, and Neon removes it at its date."


def remove(context: StepContext) -> StepResult:
    """Deletes the copy. What can't be deleted now is left to the clean-up, and the drill says so."""
    owned = OwnedBranch.objects.filter(drill=drill_of(context)).exclude(fate=BranchFate.GONE).first()
    if owned is None:
        return Advance(to=Step.FINISH, sentence="No copy is left")
    result = remove_owned(context, owned)
    if isinstance(result, Finished):
        return Advance(to=Step.FINISH, sentence=result.sentence, commit=result.commit)
    if isinstance(result, NoEffect):
        memory = {"copy_stays": result.code}
        return Advance(to=Step.FINISH, memory=memory, sentence=result.sentence, commit=result.commit)
    return _again(context, result) if isinstance(result, Again) else result


def finish(context: StepContext) -> StepResult:
    """The verdict, from everything that was measured."""
    drill_id = drill_of(context).pk
    trouble = trouble_of(context)
    if trouble is not None and trouble.code == CANCELLED:
        sentence = _with_copy(context, trouble.sentence)

        def cancel(_: Execution) -> None:
            outcome.end_cancelled(drill_id=drill_id, at=database_now(), sentence=sentence)

        return Finished(outcome_code=CANCELLED, sentence=sentence, commit=cancel)
    found = verdict(measured(context))
    told = Verdict(found.outcome, found.code, _with_copy(context, found.sentence))
    checks = counted_checks(context.execution).checks

    def end(_: Execution) -> None:
        outcome.end_drill(drill_id=drill_id, verdict=told, at=database_now(), checks=checks)

    return Finished(outcome_code=found.outcome.value, sentence=told.sentence, commit=end)


def give_up(context: StepContext, code: str, sentence: str) -> StepResult:
    """A step can't be made. Before the removal the drill goes there; the removal itself is left to the clean-up."""
    step = context.execution.step
    if step not in {Step.REMOVE, Step.FINISH}:
        return to_removal(context, Trouble(code, sentence))
    if step == Step.FINISH:
        return finish(context)
    owned = OwnedBranch.objects.filter(drill=drill_of(context)).exclude(fate=BranchFate.GONE).first()

    def commit(run: Execution) -> None:
        if owned is not None:
            record_cleanup_failed(run, owned, code)

    return Advance(to=Step.FINISH, memory={"copy_stays": code}, sentence=one_line(sentence), commit=commit)


def _again(context: StepContext, result: Again) -> StepResult:
    """Neon does not do it yet. After a while the drill ends all the same, and the clean-up goes on with its copy."""
    now = outcome.technical_milliseconds(drill_of(context), until=database_now())
    since = int(context.memory.get("removing_since_milliseconds", now))
    if now - since >= settings.EXECUTION_PATIENCE_SECONDS * 1000:
        return give_up(context, "not_removed", result.sentence or f"Waited for {result.waiting_for}")
    return replace(result, memory={**result.memory, "removing_since_milliseconds": since})


def _with_copy(context: StepContext, sentence: str) -> str:
    """400 characters at most, and the copy that is left is never what is cut off."""
    if "copy_stays" not in context.memory:
        return sentence[:400]
    return f"{sentence[: 399 - len(STAYS)]} {STAYS}"
