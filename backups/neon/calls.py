"""One call to Neon: attempts, deadline, what is reported about it, and the error that it ends in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID, uuid4

from backups.neon import errors, retry, wire
from backups.neon.catalogue import CATALOGUE
from backups.neon.deadline import Deadline, Deadlines
from backups.neon.retry import Action, Attempt, CallKind, Outcome, RetryDecision, RetryPolicy
from backups.neon.secret import Secret, clean_text
from backups.neon.transport import Answer, Failure, Request
from backups.neon.wire import Raw, UnusableShape

logger = logging.getLogger("backups.neon")

T = TypeVar("T")

# What a 204 decodes to, told apart from an empty object, which tells nothing.
NO_CONTENT: Raw = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One HTTP attempt, for the audit trail: no query, no body, no header but the two request ids.

    `outcome` is done, retry, later, look_up or stop: see `retry.Action`.
    """

    method: str
    path: str
    request_id: str
    status: int | None
    duration_seconds: float
    outcome: str
    neon_request_id: str | None


OnCall = Callable[[CallRecord], None]
#: Asked just before each attempt; a sentence keeps it from being sent.
HoldBack = Callable[[], str]


class Sender(Protocol):
    def send(self, request: Request, deadline: Deadline) -> Answer | Failure: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a call takes from outside, so that tests decide it."""

    clock: Callable[[], float]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    randomness: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class Ending:
    """How one attempt ended: its outcome, Neon's own words about it or else ours, Neon's request id."""

    attempt: Attempt
    detail: str = ""
    code: str = ""
    neon_request_id: str | None = None


class Caller:
    def __init__(
        self,
        *,
        sender: Sender,
        api_key: Secret,
        deadlines: Deadlines,
        policy: RetryPolicy,
        surroundings: Surroundings,
        on_call: OnCall | None,
        hold_back: HoldBack | None = None,
    ) -> None:
        self._sender = sender
        self._api_key = api_key
        self.deadlines = deadlines
        self._policy = policy
        self.surroundings = surroundings
        self._on_call = on_call
        self._hold_back = hold_back

    def __repr__(self) -> str:
        return f"<Caller {self._sender!r}>"

    def limited_to(self, total_seconds: float) -> Caller:
        """The same connection with a shorter total deadline for each call."""
        total = min(total_seconds, self.deadlines.total_seconds)
        return Caller(
            sender=self._sender,
            api_key=self._api_key,
            deadlines=Deadlines(self.deadlines.connect_seconds, self.deadlines.read_seconds, total),
            policy=self._policy,
            surroundings=self.surroundings,
            on_call=self._on_call,
            hold_back=self._hold_back,
        )

    def close(self) -> None:
        self._sender.close()

    def read(self, name: str, build: Callable[[Raw], T], params: Mapping[str, str] | None = None, /, **ids: str) -> T:
        """Make the read `name` of the catalogue and build a value of the answer; tries again inside the total
        deadline. `ids` are the parts of its path."""
        call = CATALOGUE[name]
        path = call.path_of(ids)
        deadline = self._deadline()
        number = 1
        while True:
            request = Request(call.kind, call.method, path, str(uuid4()), params or {})
            got, ending, decision = self._attempt(request, build, deadline, number)
            if got is not None:
                return got.value
            may_wait = decision.wait_seconds < deadline.remaining_seconds()
            if decision.action is not Action.RETRY or not may_wait:
                raise _error(request, ending, decision)
            self.surroundings.sleep(decision.wait_seconds)
            number += 1

    def change(
        self,
        name: str,
        build: Callable[[Raw, str], T],
        body: Mapping[str, Any] | None = None,
        /,
        *,
        request_id: str | None,
        params: Mapping[str, str] | None = None,
        **ids: str,
    ) -> T:
        """Send the change `name` of the catalogue exactly once. `build` gets the answer (NO_CONTENT for a 204) and
        the request id that was sent. What stands in `params` is sent in the query and reported nowhere."""
        call = CATALOGUE[name]
        path = call.path_of(ids)
        encoded = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        sent_id = str(uuid4() if request_id is None else UUID(request_id))
        request = Request(call.kind, call.method, path, sent_id, params or {}, encoded)
        got, ending, decision = self._attempt(request, lambda raw: build(raw, sent_id), self._deadline(), 1)
        if got is None:
            raise _error(request, ending, decision)
        return got.value

    def _deadline(self) -> Deadline:
        return Deadline.after(self.deadlines.total_seconds, self.surroundings.clock)

    def _attempt(
        self, request: Request, build: Callable[[Raw], T], deadline: Deadline, number: int
    ) -> tuple[Done[T] | None, Ending, RetryDecision]:
        self._refuse_held_back(request)
        began = self.surroundings.clock()
        got, ending = self._judged(request, self._sender.send(request, deadline), build, number)
        duration_seconds = self.surroundings.clock() - began
        decision = retry.decide(ending.attempt, randomness=self.surroundings.randomness(), policy=self._policy)
        self._report(request, ending, decision, duration_seconds)
        return got, ending, decision

    def _refuse_held_back(self, request: Request) -> None:
        why = self._hold_back() if self._hold_back is not None else ""
        if why:
            raise errors.HeldBack(errors.Call(request.method, request.path, request.request_id), why)

    def _judged(
        self, request: Request, answer: Answer | Failure, build: Callable[[Raw], T], number: int
    ) -> tuple[Done[T] | None, Ending]:
        attempt = Attempt(request.kind, request.method, Outcome.ANSWERED, number, answer.status)
        if isinstance(answer, Failure):
            return None, Ending(replace(attempt, outcome=answer.outcome), answer.what)
        wait = retry.parse_retry_after(answer.headers.get("retry-after"), now=self.surroundings.now())
        attempt = replace(attempt, retry_after_seconds=wait)
        neon_id = self._clean(answer.headers.get("x-neon-ret-request-id", "")) or None
        try:
            raw = _decoded(answer)
            done = Done(build(raw)) if answer.status in range(200, 300) else None
        except UnusableShape as error:
            return None, Ending(
                replace(attempt, outcome=Outcome.UNUSABLE), self._clean(str(error)), neon_request_id=neon_id
            )
        return done, Ending(attempt, self._words(raw, "message"), self._words(raw, "code"), neon_id)

    def _report(self, request: Request, ending: Ending, decision: RetryDecision, duration_seconds: float) -> None:
        record = CallRecord(
            method=request.method,
            path=request.path,
            request_id=request.request_id,
            status=ending.attempt.status,
            duration_seconds=duration_seconds,
            outcome=decision.action.value,
            neon_request_id=ending.neon_request_id,
        )
        _log(record, ending)
        if self._on_call is None:
            return
        try:
            self._on_call(record)
        except Exception as error:
            # A failing observer must not turn a change that Neon has made into an error.
            logger.error("the observer of calls to Neon failed: %s", type(error).__name__)

    def _words(self, raw: Raw, key: str) -> str:
        return self._clean(wire.text(raw, key) or "")

    def _clean(self, text: str) -> str:
        return clean_text(text, secrets=(self._api_key,))


_LATER: Mapping[int | None, type[errors.TryLater]] = {
    423: errors.NeonBusy,
    429: errors.NeonRateLimited,
}
_STOPPED: Mapping[int | None, type[errors.NeonError]] = {
    401: errors.NeonKeyRejected,
    403: errors.NeonForbidden,
    404: errors.NeonNotFound,
    406: errors.NeonOutOfWindow,
}


def _error(request: Request, ending: Ending, decision: RetryDecision) -> errors.NeonError:
    attempt = ending.attempt
    call = errors.Call(request.method, request.path, request.request_id, attempt.status, ending.neon_request_id)
    if decision.action is Action.LOOK_UP:
        repeatable = request.kind is CallKind.REPEATABLE
        return errors.OutcomeUnknown(call, ending.detail, code=ending.code, safe_to_repeat=repeatable)
    if decision.action is Action.STOP:
        return _stopped(attempt.outcome, call.status)(call, ending.detail, code=ending.code)
    return _LATER.get(call.status, errors.NeonUnavailable)(
        call,
        ending.detail,
        code=ending.code,
        retry_after_seconds=decision.wait_seconds,
        asked_by_neon=attempt.retry_after_seconds is not None,
    )


def _stopped(outcome: Outcome, status: int | None) -> type[errors.NeonError]:
    if status == 401:
        return errors.NeonKeyRejected
    if outcome is Outcome.ANSWERED:
        return _STOPPED.get(status, errors.NeonRefused)
    return errors.AnswerTooLarge if outcome is Outcome.TOO_LARGE else errors.AnswerUnusable


def _log(record: CallRecord, ending: Ending) -> None:
    logger.info(
        "%s %s -> %s: %s after %.3f s [request %s, at Neon %s]",
        record.method,
        record.path,
        record.status or ending.attempt.outcome.value,
        record.outcome,
        record.duration_seconds,
        record.request_id,
        record.neon_request_id or "unknown",
    )


def _decoded(answer: Answer) -> Raw:
    if answer.status == 204:
        return NO_CONTENT
    if answer.status in range(300, 400):
        raise UnusableShape("a redirect, which is not followed")
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UnusableShape(_shape_of(answer))
    return value


def _shape_of(answer: Answer) -> str:
    """Says what came instead of JSON without quoting it."""
    kind = answer.headers.get("content-type", "no content type").split(";")[0]
    return f"not the expected JSON ({clean_text(kind, limit=60)}, {len(answer.body)} bytes)"
