"""What to do after one attempt of one call. Pure: no clock, no sleep, no network.

The rule that everything else serves: a change whose answer was lost is never sent again from here,
because a second in-place restore would throw away what was written after the first.

    after the attempt                   read             change
    2xx, usable                         DONE             DONE
    not sent (no connection)            RETRY, LATER     LATER
    423, 429                            RETRY, LATER     LATER
    503 in Neon's own form              RETRY, LATER     LATER
    time-out, cut off, other 5xx, 408   RETRY, LATER     LOOK_UP
    HTML, broken, redirect, 3xx         STOP             LOOK_UP
    401                                 STOP             STOP
    other 4xx in Neon's own form        STOP             STOP
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum


class CallKind(StrEnum):
    READ = "read"  # changes nothing
    ONCE = "once"  # a change that does harm when it happens twice
    REPEATABLE = "repeatable"  # a change that does no harm when it happens twice


class Outcome(StrEnum):
    NOT_SENT = "not_sent"  # no connection was made, so Neon can't have seen it
    LOST = "lost"  # sent, wholly or in part, and no complete answer came
    ANSWERED = "answered"  # a complete answer in Neon's form
    UNUSABLE = "unusable"  # a complete answer that is not Neon's form
    TOO_LARGE = "too_large"  # an answer beyond the cap


class Action(StrEnum):
    DONE = "done"
    RETRY = "retry"  # this client may try again after wait_seconds
    LATER = "later"  # nothing was done; the caller may try again after wait_seconds
    LOOK_UP = "look_up"  # may have been done: find out, don't repeat
    STOP = "stop"  # trying again won't help


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt and how it ended. `number` counts from 1; `status` is None when no answer came."""

    kind: CallKind
    method: str
    outcome: Outcome
    number: int
    status: int | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RetryDecision:
    action: Action
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`read_attempts` bounds attempts inside one call; the waits bound back-off and what Neon may ask for."""

    read_attempts: int = 3
    base_seconds: float = 0.25
    busy_base_seconds: float = 2.0
    cap_seconds: float = 30.0
    retry_after_cap_seconds: float = 300.0


DEFAULT_POLICY = RetryPolicy()
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Answered before the request is looked at, so the status alone is enough, whatever the body is.
_AT_THE_DOOR = frozenset({401, 423, 429})


def decide(attempt: Attempt, *, randomness: float, policy: RetryPolicy = DEFAULT_POLICY) -> RetryDecision:
    """`randomness` is a number from [0, 1) that spreads the waits (full jitter)."""
    if _succeeded(attempt):
        return RetryDecision(Action.DONE)
    if _provably_not_done(attempt):
        return _again(attempt, randomness, policy)
    if _definitely_refused(attempt):
        return RetryDecision(Action.STOP)
    if not _is_read(attempt):
        return RetryDecision(Action.LOOK_UP)
    if _may_pass(attempt):
        return _again(attempt, randomness, policy)
    return RetryDecision(Action.STOP)


def backoff_seconds(
    number: int,
    *,
    randomness: float,
    busy: bool = False,
    retry_after_seconds: float | None = None,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> float:
    """The wait after attempt `number` (from 1): full jitter under a doubling ceiling, never less than what
    Neon asked for, and never more than the policy's caps."""
    base = policy.busy_base_seconds if busy else policy.base_seconds
    ceiling = min(policy.cap_seconds, base * 2.0 ** min(max(number, 1) - 1, 32))
    asked = min(max(retry_after_seconds or 0.0, 0.0), policy.retry_after_cap_seconds)
    return max(asked, randomness * ceiling)


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait from a Retry-After header: a number of seconds or an HTTP date; None if neither."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), 10**9))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # An HTTP date is always GMT; "-0000" comes back without a zone.
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _succeeded(attempt: Attempt) -> bool:
    return attempt.outcome is Outcome.ANSWERED and attempt.status in range(200, 300)


def _provably_not_done(attempt: Attempt) -> bool:
    if attempt.outcome is Outcome.NOT_SENT:
        return True
    if attempt.status in {423, 429}:
        return True
    # A gateway's own 503 page may follow a request that did reach Neon; Neon's own 503 may not.
    return attempt.status == 503 and attempt.outcome is Outcome.ANSWERED


def _definitely_refused(attempt: Attempt) -> bool:
    if attempt.status in _AT_THE_DOOR:
        return True
    in_neons_form = attempt.outcome is Outcome.ANSWERED
    return in_neons_form and attempt.status in range(400, 500) and attempt.status != 408


def _is_read(attempt: Attempt) -> bool:
    return attempt.kind is CallKind.READ and attempt.method in _SAFE_METHODS


def _may_pass(attempt: Attempt) -> bool:
    if attempt.outcome is Outcome.LOST:
        return True
    return attempt.status is not None and (attempt.status >= 500 or attempt.status == 408)


def _again(attempt: Attempt, randomness: float, policy: RetryPolicy) -> RetryDecision:
    wait = backoff_seconds(
        attempt.number,
        randomness=randomness,
        busy=attempt.status in {423, 429},
        retry_after_seconds=attempt.retry_after_seconds,
        policy=policy,
    )
    may_retry = _is_read(attempt) and attempt.number < policy.read_attempts
    return RetryDecision(Action.RETRY if may_retry else Action.LATER, wait)
