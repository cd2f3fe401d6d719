"""One call to Neon: attempts, deadline, what is reported about it, and the error that it ends in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from backups.neon import errors, retry
from backups.neon.deadline import Deadline, Deadlines
from backups.neon.retry import Action, Attempt, CallKind, Outcome, RetryDecision, RetryPolicy
from backups.neon.secret import Secret, clean_text
from backups.neon.transport import Answer, Failure, Request
from backups.neon.wire import Raw, UnusableShape

logger = logging.getLogger("backups.neon")

T = TypeVar("T")

# Every change this client can send, and whether it does harm when it happens twice.
MUTATIONS: Mapping[str, CallKind] = {
    "create_branch": CallKind.ONCE,  # a second branch, and a second compute that costs
    "restore_branch": CallKind.ONCE,  # throws away what was written since the first
    "create_endpoint": CallKind.ONCE,
    # A repeated delete answers 204; ids are never used again.
    "delete_branch": CallKind.REPEATABLE,
    # These name the state to be reached, not a step towards it.
    "update_branch": CallKind.REPEATABLE,
    "set_branch_as_default": CallKind.REPEATABLE,
    "start_endpoint": CallKind.REPEATABLE,
    "suspend_endpoint": CallKind.REPEATABLE,
}


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
class Ending:
    """How one attempt ended: the outcome and, where there was one, Neon's answer."""

    attempt: Attempt
    what: str = ""
    raw: Raw | None = None
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
    ) -> None:
        self._sender = sender
        self._api_key = api_key
        self.deadlines = deadlines
        self._policy = policy
        self.surroundings = surroundings
        self._on_call = on_call

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
        )

    def close(self) -> None:
        self._sender.close()

    def read(self, path: str, build: Callable[[Raw], T], params: Mapping[str, str] | None = None) -> T:
        """GET `path` and build a value of the answer; tries again inside the total deadline."""
        deadline = self._deadline()
        number = 1
        while True:
            request = Request(CallKind.READ, "GET", path, str(uuid4()), params or {})
            ending, decision = self._attempt(request, deadline, number)
            if decision.action is Action.DONE:
                return self._built(request, ending, build)
            may_wait = decision.wait_seconds < deadline.remaining_seconds()
            if decision.action is not Action.RETRY or not may_wait:
                raise self._error(request, ending, decision)
            self.surroundings.sleep(decision.wait_seconds)
            number += 1

    def change(
        self,
        name: str,
        method: str,
        path: str,
        build: Callable[[Raw, str], T],
        body: Mapping[str, Any] | None = None,
        *,
        request_id: str | None = None,
        no_content: Callable[[str], T] | None = None,
    ) -> T:
        """Send a change exactly once. `name` is its entry in MUTATIONS; `no_content` is what a 204 means."""
        encoded = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        sent_id = request_id or str(uuid4())
        request = Request(MUTATIONS[name], method, path, sent_id, body=encoded)
        ending, decision = self._attempt(request, self._deadline(), 1)
        if decision.action is not Action.DONE:
            raise self._error(request, ending, decision)
        if no_content is not None and ending.attempt.status == 204:
            return no_content(sent_id)
        return self._built(request, ending, lambda raw: build(raw, sent_id))

    def _deadline(self) -> Deadline:
        return Deadline.after(self.deadlines.total_seconds, self.surroundings.clock)

    def _attempt(self, request: Request, deadline: Deadline, number: int) -> tuple[Ending, RetryDecision]:
        began = self.surroundings.clock()
        ending = self._ending(request, self._sender.send(request, deadline), number)
        decision = retry.decide(ending.attempt, randomness=self.surroundings.randomness(), policy=self._policy)
        self._report(request, ending, decision, self.surroundings.clock() - began)
        return ending, decision

    def _ending(self, request: Request, got: Answer | Failure, number: int) -> Ending:
        kind, method = request.kind, request.method
        if isinstance(got, Failure):
            return Ending(Attempt(kind, method, got.outcome, number, got.status), got.what)
        raw = _decoded(got)
        outcome = Outcome.UNUSABLE if raw is None else Outcome.ANSWERED
        wait = retry.parse_retry_after(got.headers.get("retry-after"), now=self.surroundings.now())
        return Ending(
            Attempt(kind, method, outcome, number, got.status, wait),
            what="" if raw is not None else _shape_of(got),
            raw=raw,
            neon_request_id=self._clean(got.headers.get("x-neon-ret-request-id")),
        )

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
        logger.info(
            "%s %s -> %s %s in %.3f s [request %s, Neon's %s]",
            record.method,
            record.path,
            record.status or ending.attempt.outcome.value,
            record.outcome,
            record.duration_seconds,
            record.request_id,
            record.neon_request_id or "none",
        )
        if self._on_call is None:
            return
        try:
            self._on_call(record)
        except Exception as error:
            # A failing observer must not turn a change that Neon has made into an error.
            logger.error("the observer of Neon calls failed: %s", type(error).__name__)

    def _built(self, request: Request, ending: Ending, build: Callable[[Raw], T]) -> T:
        try:
            return build(ending.raw or {})
        except UnusableShape as error:
            what = str(error)
        call = self._call(request, ending)
        if request.kind is CallKind.READ:
            raise errors.AnswerUnusable(call, what)
        raise errors.OutcomeUnknown(call, what, safe_to_repeat=_repeatable(request))

    def _call(self, request: Request, ending: Ending) -> errors.Call:
        return errors.Call(
            method=request.method,
            path=request.path,
            request_id=request.request_id,
            status=ending.attempt.status,
            neon_request_id=ending.neon_request_id,
        )

    def _error(self, request: Request, ending: Ending, decision: RetryDecision) -> errors.NeonError:
        call = self._call(request, ending)
        detail, code = self._told(ending)
        if decision.action is Action.LOOK_UP:
            return errors.OutcomeUnknown(call, detail, code=code, safe_to_repeat=_repeatable(request))
        if decision.action is Action.STOP:
            return _stopped(call, ending, detail, code)
        later = _LATER.get(call.status or 0, errors.NeonUnavailable)
        return later(
            call,
            detail,
            code=code,
            retry_after_seconds=decision.wait_seconds,
            asked_by_neon=ending.attempt.retry_after_seconds is not None,
        )

    def _told(self, ending: Ending) -> tuple[str, str]:
        """Neon's message and code, cleaned; for an answer that is not Neon's, our own description."""
        raw = ending.raw or {}
        message = raw.get("message")
        code = raw.get("code")
        detail = message if isinstance(message, str) else ending.what
        return self._clean(detail) or "", self._clean(code if isinstance(code, str) else "") or ""

    def _clean(self, text: str | None) -> str | None:
        return None if text is None else clean_text(text, secrets=(self._api_key,))


_LATER: Mapping[int, type[errors.TryLater]] = {
    423: errors.NeonBusy,
    429: errors.NeonRateLimited,
}
_STOPPED: Mapping[int, type[errors.NeonError]] = {
    401: errors.NeonKeyRejected,
    403: errors.NeonForbidden,
    404: errors.NeonNotFound,
}


def _stopped(call: errors.Call, ending: Ending, detail: str, code: str) -> errors.NeonError:
    outcome = ending.attempt.outcome
    if outcome is Outcome.TOO_LARGE:
        return errors.AnswerTooLarge(call, detail)
    if call.status == 401 or outcome is Outcome.ANSWERED:
        return _STOPPED.get(call.status or 0, errors.NeonRefused)(call, detail, code=code)
    return errors.AnswerUnusable(call, detail)


def _repeatable(request: Request) -> bool:
    return request.kind is CallKind.REPEATABLE


def _decoded(answer: Answer) -> Raw | None:
    """The JSON object of an answer; an empty one for 204; None for anything else."""
    if answer.status == 204:
        return {}
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _shape_of(answer: Answer) -> str:
    """Says what came instead of JSON without quoting it."""
    if 300 <= answer.status < 400:
        return "a redirect, which is not followed"
    kind = answer.headers.get("content-type", "no content type").split(";")[0]
    return f"not the expected JSON ({clean_text(kind, limit=60)}, {len(answer.body)} bytes)"
