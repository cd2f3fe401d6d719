"""The only way to make a call that changes something at Neon.

The intent is committed, then the call is sent, then its outcome is committed. Whoever finds an intent without an
outcome looks the effect up at Neon; nothing is sent again before an earlier call is proven to have done nothing and
to be unable to do anything any more.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from django.conf import settings

from backups.domain.execution import ExecutionState, IntentKind, IntentOutcome
from backups.models import Execution, Intent
from backups.neon.errors import HeldBack, NeonError, NeonKeyRejected, NeonRefused, OutcomeUnknown, TryLater
from backups.selectors.clock import database_now
from backups.services.execution.context import StepContext
from backups.services.execution.crash_points import crash_point
from backups.services.execution.intent_records import (
    UNSETTLED,
    newest_intent,
    note_look_up,
    note_lost,
    settle_applied,
    settle_not_applied,
    settle_refused,
    settle_unknown,
    write_intent,
)
from backups.services.execution.waits import backoff_seconds, wait_after


@dataclass(frozen=True, slots=True)
class Found:
    """The effect is there, and everything at Neon agrees that it is ours."""

    operation_ids: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Absent:
    """Nothing of the effect is there at this moment, and nothing is under way."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Something is under way that could still be the effect."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """What is there contradicts itself."""

    sentence: str


#: Also runs while the machine sleeps, where there is such a clock: a worker that slept must not send what is stale.
_clock: Callable[[], float] = (
    (lambda: time.clock_gettime(time.CLOCK_BOOTTIME)) if hasattr(time, "CLOCK_BOOTTIME") else time.time
)

LookUp: TypeAlias = Found | Absent | Busy | Unclear


@dataclass(frozen=True, slots=True)
class Applied:
    """Neon has done it, or is doing it. `adopted`: found by looking, not from the call's own answer."""

    intent: Intent
    adopted: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Neon did nothing. `retry_after_seconds` is None when the same call would be refused again."""

    code: str
    sentence: str
    retry_after_seconds: float | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An earlier call is not settled yet; ask again in `after_seconds`."""

    after_seconds: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Asked several times, and it could not be found out what the call did. A person decides."""

    sentence: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """No call stands and none may be sent: somebody asked to stop, or the run is only being reviewed."""

    sentence: str


IntentResult: TypeAlias = Applied | Refused | Waiting | Unknown | NotSent


class Taken(Protocol):
    """Neon's answer to a call that it took. It is done only when all of these operations are."""

    @property
    def operation_ids(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One call that changes something: how it is recognised, sent and looked up.

    `name` is the branch name by which the effect is found again. `before_commit` runs in the transaction that writes
    the intent; what it raises keeps the call from being sent.
    """

    kind: IntentKind
    name: str
    send: Callable[[Intent], Taken]
    look_up: Callable[[Intent], LookUp]
    target_branch_id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    before_commit: Callable[[Execution], None] | None = None

    @property
    def may_happen_twice(self) -> bool:
        """A change that names the state to be reached does no harm when it arrives twice."""
        return self.kind in {IntentKind.UPDATE_BRANCH, IntentKind.DELETE_BRANCH, IntentKind.DELETE_SNAPSHOT}


def with_intent(context: StepContext, change: Change) -> IntentResult:
    """Brings the change about at most once, or says why not yet. Raises TryLater when Neon can't be asked."""
    intent = newest_intent(context.execution, change.kind, change.name)
    if intent is not None and intent.outcome == IntentOutcome.APPLIED:
        return Applied(intent, adopted=False)
    if intent is not None and intent.outcome in UNSETTLED:
        found = _resolve(context, change, intent)
        if found is not None:
            return found
    if context.execution.state == ExecutionState.REVIEWING:
        return NotSent("Neon shows no trace of the order. Nothing was sent again.")
    if context.execution.stop_asked_by_name:
        return NotSent(f"{context.execution.stop_asked_by_name} asked to stop before Neon accepted the order.")
    return _send(context, change)


def _send(context: StepContext, change: Change) -> IntentResult:
    over_at = _clock() + settings.NEON_CALL_DEADLINE_SECONDS
    intent = write_intent(
        context,
        kind=change.kind,
        name=change.name,
        target_branch_id=change.target_branch_id,
        facts=change.facts,
        before_commit=change.before_commit,
    )
    crash_point("after_intent")
    left = over_at - _clock()
    if left <= 0:
        settle_refused(context, intent, code="not_sent", sentence="This worker was held up and did not send it.")
        return Refused("not_sent", "The worker was held up before it sent the call.", 0.0)
    try:
        with context.calls_within(left):
            answer = change.send(intent)
    except OutcomeUnknown as error:
        note_lost(context, intent, str(error))
        crash_point("after_lost_answer")
        return _resolve(context, change, intent) or Waiting(backoff_seconds(0), str(error))
    except NeonError as error:
        return _refused(context, change, intent, error)
    crash_point("after_answer")
    settle_applied(context, intent, operation_ids=answer.operation_ids, adopted=False)
    crash_point("after_settled")
    return Applied(intent, adopted=False)


#: Answered at the door, before anybody looks at the order.
_AT_THE_DOOR = frozenset({None, 401, 423, 429})


def _refused(context: StepContext, change: Change, intent: Intent, error: NeonError) -> IntentResult:
    """Neon says that it did nothing with this call. An earlier, lost one may be why, so its effect is looked for."""
    if error.status not in _AT_THE_DOOR:
        found = change.look_up(intent)
        if isinstance(found, Found):
            return _adopt(context, intent, found)
        if isinstance(found, Busy):
            return Waiting(backoff_seconds(context.tries), found.sentence)
    code = _code_of(error)
    settle_refused(context, intent, code=code, sentence=str(error))
    return Refused(code, str(error), _retry_after(error, context.tries))


def _retry_after(error: NeonError, tries: int) -> float | None:
    if isinstance(error, TryLater):
        return wait_after(error, tries)
    if isinstance(error, NeonKeyRejected) or (isinstance(error, NeonRefused) and error.not_ready_yet):
        return backoff_seconds(tries)
    return None


def _code_of(error: NeonError) -> str:
    if isinstance(error, HeldBack):
        return "held_back"
    if isinstance(error, NeonRefused) and error.code:
        return error.code.lower()[:60]
    return f"http_{error.status}" if error.status else "no_connection"


def _resolve(context: StepContext, change: Change, intent: Intent) -> IntentResult | None:
    """Finds out what became of an unsettled call. None: it is proven to have done nothing, and never will."""
    crash_point("before_look_up")
    asked_at = database_now()
    found = change.look_up(intent)
    note_look_up(intent)
    crash_point("after_look_up")
    if isinstance(found, Found):
        return _adopt(context, intent, found)
    if isinstance(found, Absent):
        return _absent(context, change, intent, asked_at)
    if isinstance(found, Busy):
        return _busy(context, intent, asked_at, found.sentence)
    return _unclear(context, intent, found.sentence)


def _adopt(context: StepContext, intent: Intent, found: Found) -> IntentResult:
    settle_applied(context, intent, operation_ids=found.operation_ids, adopted=True)
    crash_point("after_adoption")
    return Applied(intent, adopted=True)


def _absent(context: StepContext, change: Change, intent: Intent, asked_at: dt.datetime) -> IntentResult | None:
    """Absence counts only when the call can't be sent any more and what was sent has had time to arrive."""
    settled_from = intent.call_deadline_at + dt.timedelta(seconds=settings.EXECUTION_SETTLE_SECONDS)
    if not change.may_happen_twice and asked_at < settled_from:
        left = (settled_from - asked_at).total_seconds()
        sentence = "The answer was lost. Waiting long enough to be sure that the order does not arrive late."
        return Waiting(min(backoff_seconds(intent.look_ups), left), sentence)
    settle_not_applied(context, intent)
    crash_point("after_absence")
    return None


def _busy(context: StepContext, intent: Intent, asked_at: dt.datetime, sentence: str) -> IntentResult:
    if (asked_at - intent.created_at).total_seconds() >= settings.EXECUTION_PATIENCE_SECONDS:
        settle_unknown(context, intent, sentence)
        return Unknown(sentence)
    return Waiting(backoff_seconds(intent.look_ups), sentence)


def _unclear(context: StepContext, intent: Intent, sentence: str) -> IntentResult:
    if intent.look_ups >= settings.EXECUTION_LOOK_UPS:
        settle_unknown(context, intent, sentence)
        return Unknown(sentence)
    return Waiting(backoff_seconds(intent.look_ups), sentence)
