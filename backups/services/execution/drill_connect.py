"""The copy of a drill is made, and takes connections on its own connection strings."""

from __future__ import annotations

from backups.domain.drill_verdict import Trouble
from backups.domain.execution import Step
from backups.neon.errors import NeonNotFound
from backups.selectors.clock import database_now
from backups.services.drill import outcome
from backups.services.execution.context import StepContext
from backups.services.execution.drill_frame import drill_of, to_removal
from backups.services.execution.own_copies import Copy, CopyFailed, addresses, is_ready
from backups.services.execution.results import Advance, Again, StepResult
from backups.services.observed_facts import reason_of
from backups.verification import DatabaseUnreachable, Dsn, OutOfTime
from backups.verification.connection import Budget, open_snapshot

_READY_SECONDS = 5.0
_ANSWER_SECONDS = 3.0


def copy_of(context: StepContext) -> Copy:
    """The copy that the run asked for."""
    return Copy(**context.memory["copy"])


def copy_is_gone(context: StepContext) -> StepResult:
    """Somebody, or its date, removed the copy while it was looked at: that says nothing about the data."""
    return to_removal(context, Trouble("copy_gone", "The copy is not at Neon any more"))


def connect(context: StepContext) -> StepResult:
    """Each database of the copy must answer. Until the time limit it is asked again."""
    made = copy_of(context)
    try:
        if not is_ready(context, made, seconds=_READY_SECONDS):
            return Again(after_seconds=0, waiting_for="the copy")
        found = addresses(context, made.branch_id)
    except CopyFailed as failure:
        return to_removal(context, Trouble("copy_failed", str(failure), shows_failure=True))
    except NeonNotFound:
        return copy_is_gone(context)
    if not found:
        return to_removal(context, Trouble("no_database", "Neon shows no database on the copy", shows_failure=True))
    try:
        for dsn in found.values():
            _answers(dsn)
    except (DatabaseUnreachable, OutOfTime) as trouble:
        return Again(after_seconds=0.5, waiting_for="the copy to take connections", sentence=reason_of(trouble))
    return _connected(context, len(found))


def _answers(dsn: Dsn) -> None:
    with open_snapshot(dsn, Budget(_ANSWER_SECONDS)) as snapshot:
        snapshot.value("SELECT 1")


def _connected(context: StepContext, databases: int) -> Advance:
    drill_id, at = drill_of(context).pk, database_now()
    return Advance(
        to=Step.VERIFY,
        sentence=f"Connected to {databases} database{'' if databases == 1 else 's'} of the copy",
        commit=lambda _: outcome.note_connectable(drill_id=drill_id, at=at),
    )
