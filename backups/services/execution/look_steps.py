"""Opening a look: a copy at the moment, and what it holds. The branch itself is never connected to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backups.domain.execution import BranchPurpose, Step
from backups.models import Execution, Look
from backups.neon.errors import NeonNotFound
from backups.selectors.clock import database_now
from backups.selectors.project import source_id_at
from backups.selectors.restore import governing_requests
from backups.services.execution.context import StepContext
from backups.services.execution.intents import IntentResult, NotSent, Refused, Unknown
from backups.services.execution.not_yet import not_yet
from backups.services.execution.own_copies import (
    Copy,
    CopyFailed,
    CopyPlan,
    addresses,
    ask_for_copy,
    is_ready,
    note_present,
)
from backups.services.execution.results import Advance, Again, Finished, NoEffect, StepResult
from backups.services.look import look_has_failed, look_is_ready
from backups.services.observed_facts import one_line, reason_of
from backups.verification import DatabaseUnreachable, OutOfTime, summarise_moment

_YIELD_SECONDS = 2.0
_READY_SECONDS = 8.0
_SUMMARY_SECONDS = 3.0
#: A person is waiting: a copy that does not answer by then is given up.
_ANSWERS_WITHIN_SECONDS = 60.0


def ask(context: StepContext) -> StepResult:
    """Has Neon make the copy, unless production is about to be restored in this project."""
    waits_for = governing_requests(context.execution.project).first()
    if waits_for is not None:
        return Again(after_seconds=_YIELD_SECONDS, waiting_for=f"{waits_for.reference}, which restores production")
    plan = _plan(look_of(context))
    try:
        result, made = ask_for_copy(context, plan)
    except NeonNotFound:
        return _failed(context, "not_found", "Neon does not show this branch any more")
    except CopyFailed as failure:
        return _failed(context, "copy_failed", str(failure))
    if made is None:
        return _not_made(context, result)
    return Advance(
        to=Step.INSPECT,
        memory={"copy": made.to_json()},
        sentence=f"Copy {plan.name} asked for",
        commit=lambda run: note_present(run, made, plan.name),
    )


def summarise(context: StepContext) -> StepResult:
    """Counts, newest row and migration head of each database on the copy."""
    made = Copy(**context.memory["copy"])
    try:
        if not is_ready(context, made, seconds=_READY_SECONDS):
            return Again(after_seconds=0, waiting_for="the copy at this moment")
    except CopyFailed as failure:
        return _failed(context, "copy_failed", str(failure))
    except NeonNotFound:
        return _failed(context, "copy_gone", "The copy is not at Neon any more")
    try:
        facts = _facts(context, made)
    except (DatabaseUnreachable, OutOfTime) as trouble:
        if made.seconds_since_asked(database_now()) >= _ANSWERS_WITHIN_SECONDS:
            return _failed(context, "no_connection", reason_of(trouble))
        return Again(after_seconds=0.5, waiting_for="the copy to take connections", sentence=reason_of(trouble))
    took = made.seconds_since_asked(database_now())
    look_id = look_of(context).pk
    tables = [name for database in facts["databases"] for name in database["rows"]]

    def commit(_: Execution) -> None:
        look_is_ready(look_id=look_id, facts=facts, duration_milliseconds=round(took * 1000), tables=tables)

    return Finished(outcome_code="ready", sentence=f"Ready after {took:.1f} s", commit=commit)


def give_up(context: StepContext, code: str, sentence: str) -> StepResult:
    """The look ends without a result; nothing was changed."""
    return _failed(context, code, sentence)


def look_of(context: StepContext) -> Look:
    """The look that the run serves."""
    look = context.execution.look
    if look is None:
        raise LookupError("a run of this purpose always has a look")
    return look


def _plan(look: Look) -> CopyPlan:
    return CopyPlan(
        name=look.copy_name,
        source_branch_id=source_id_at(look.branch, look.point_at),
        point=look.point,
        purpose=BranchPurpose.LOOK,
        owner_name=look.person_name,
        expires_at=look.expires_at.replace(microsecond=0),
        annotation={"made-by": "carecircle-ops", "look": str(look)},
        look=look,
    )


def _facts(context: StepContext, made: Copy) -> dict[str, Any]:
    """Look.facts: as_of, ready_seconds, and per database what `summarise_moment` found."""
    found = addresses(context, made.branch_id)
    databases = [summarise_moment(dsn, budget_seconds=_SUMMARY_SECONDS).to_json() for dsn in found.values()]
    now = database_now()
    return {
        "as_of": now.isoformat(),
        "ready_seconds": round(made.seconds_since_asked(now), 2),
        "databases": databases,
    }


def _not_made(context: StepContext, result: IntentResult) -> StepResult:
    later = not_yet(result)
    if later is not None:
        return later
    sentence = result.sentence if isinstance(result, Refused | Unknown | NotSent) else "Neon did not show it"
    return _failed(context, "refused", sentence)


def _failed(context: StepContext, code: str, sentence: str) -> StepResult:
    look_id = look_of(context).pk
    words = f"No copy could be opened: {one_line(sentence)}. Nothing was changed."

    def commit(_: Execution) -> None:
        look_has_failed(look_id=look_id, code=code, sentence=words)

    return NoEffect(code=code, sentence=words, commit=commit)


STEPS: dict[Step, Callable[[StepContext], StepResult]] = {Step.COPY: ask, Step.INSPECT: summarise}
