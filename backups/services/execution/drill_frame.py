"""What holds in every step of a drill: it yields to production, ends at its limit, and removes its copy first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.conf import settings
from django.db import transaction

from backups.domain.drill import DrillOutcome
from backups.domain.drill_verdict import Trouble, Verdict
from backups.domain.execution import Step
from backups.models import Drill, Execution, OwnedBranch, RestoreRequest
from backups.neon.errors import HeldBack
from backups.selectors.clock import database_now
from backups.services.drill import outcome
from backups.services.execution.claim import hold_run
from backups.services.execution.context import StepContext
from backups.services.execution.giving_way import production_request
from backups.services.execution.results import Advance, Again, Finished, StepResult
from backups.services.observed_facts import one_line

StepFunction = Callable[[StepContext], StepResult]

CANCELLED = "cancelled"
TIME_LIMIT = "time_limit"


def drill_of(context: StepContext) -> Drill:
    """The drill that the run serves."""
    drill = context.execution.drill
    if drill is None:
        raise LookupError("a run of this purpose always has a drill")
    return drill


def framed(step: StepFunction, *, stops: bool = True) -> StepFunction:
    """The step, unless production comes first or the drill is over. `stops`: False where only the clean-up is left."""

    def run(context: StepContext) -> StepResult:
        request = production_request(context.execution)
        if request is not None:
            return _yield(context, request)
        _resume(context)
        over = _over(context) if stops else None
        if over is not None:
            return to_removal(context, over)
        try:
            return step(context)
        except HeldBack:
            request = production_request(context.execution)
            return _yield(context, request) if request else Again(after_seconds=0, waiting_for="its turn at Neon")

    return run


def to_removal(context: StepContext, trouble: Trouble) -> StepResult:
    """The drill goes no further: its copy is removed, and the verdict keeps what is known now."""
    drill, now = drill_of(context), database_now()
    trouble = Trouble(trouble.code, f"{one_line(trouble.sentence)}.", trouble.shows_failure)
    memory = {
        "trouble": {"code": trouble.code, "sentence": trouble.sentence, "shows_failure": trouble.shows_failure},
        "stopped_milliseconds": outcome.technical_milliseconds(drill, until=now),
    }
    has_copy = OwnedBranch.objects.filter(drill=drill).exists()
    return Advance(to=Step.REMOVE if has_copy else Step.FINISH, memory=memory, sentence=trouble.sentence[:400])


def trouble_of(context: StepContext) -> Trouble | None:
    """Why the drill went to its end early."""
    noted = context.memory.get("trouble")
    return Trouble(**noted) if noted else None


def not_begun(context: StepContext, code: str, sentence: str) -> StepResult:
    """Nothing was asked of Neon that would have to be taken back; the drill shows nothing."""
    drill_id, words = drill_of(context).pk, one_line(sentence)

    def commit(_: Execution) -> None:
        verdict = Verdict(DrillOutcome.INCONCLUSIVE, code, f"{words}. Nothing was rehearsed."[:400])
        outcome.end_drill(drill_id=drill_id, verdict=verdict, at=database_now())

    return Finished(outcome_code=code, sentence=words, commit=commit)


def _over(context: StepContext) -> Trouble | None:
    drill = drill_of(context)
    if drill.cancel_asked_by_name:
        return Trouble(CANCELLED, f"{drill.cancel_asked_by_name} ended it early.")
    if drill.time_limit_at is not None and database_now() >= drill.time_limit_at:
        return Trouble(TIME_LIMIT, "The time limit passed before the checks had ended.")
    return None


def _yield(context: StepContext, request: RestoreRequest) -> StepResult:
    drill, now = drill_of(context), database_now()
    if context.execution.step == Step.PREFLIGHT and now >= last_begin(drill):
        return not_begun(context, "yielded", f"{request.reference} restored production until it was too late to begin")

    def commit(_: Execution) -> None:
        outcome.note_yielding(drill_id=drill.pk, at=now, request=request.reference)

    return Again(
        after_seconds=settings.DRILL_YIELD_SECONDS,
        waiting_for=f"{request.reference}, which restores production",
        commit=commit,
    )


def last_begin(drill: Drill) -> dt.datetime:
    """A drill that has not begun by then was missed."""
    wait = dt.timedelta(seconds=int(drill.plan_facts["slot_grace_seconds"]))
    return (drill.planned_for or drill.requested_at or drill.created_at) + wait


def _resume(context: StepContext) -> None:
    """In a transaction of its own, before anything else: what follows counts as work again."""
    drill = drill_of(context)
    if drill.yielding_since is None:
        return
    with transaction.atomic():
        hold_run(context.claim)
        outcome.note_resumed(drill_id=drill.pk, at=database_now())
    drill.refresh_from_db(fields=["yielding_since", "yielded_milliseconds"])
