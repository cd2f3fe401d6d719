"""The retry policy, as the table says it and under everything else that can come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.neon.catalogue import CATALOGUE
from backups.neon.retry import (
    DEFAULT_POLICY,
    Action,
    Attempt,
    CallKind,
    Outcome,
    RetryPolicy,
    backoff_seconds,
    decide,
    parse_retry_after,
)

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
LAST = DEFAULT_POLICY.read_attempts

# outcome, status -> for a read with attempts left, for a read without, for a change
TABLE = [
    (Outcome.ANSWERED, 200, Action.DONE, Action.DONE, Action.DONE),
    (Outcome.ANSWERED, 201, Action.DONE, Action.DONE, Action.DONE),
    (Outcome.ANSWERED, 204, Action.DONE, Action.DONE, Action.DONE),
    (Outcome.NOT_SENT, None, Action.RETRY, Action.LATER, Action.LATER),
    (Outcome.ANSWERED, 423, Action.RETRY, Action.LATER, Action.LATER),
    (Outcome.UNUSABLE, 423, Action.RETRY, Action.LATER, Action.LATER),
    (Outcome.ANSWERED, 429, Action.RETRY, Action.LATER, Action.LATER),
    (Outcome.UNUSABLE, 429, Action.RETRY, Action.LATER, Action.LATER),
    (Outcome.ANSWERED, 503, Action.RETRY, Action.LATER, Action.LATER),
    (Outcome.UNUSABLE, 503, Action.RETRY, Action.LATER, Action.LOOK_UP),
    (Outcome.LOST, None, Action.RETRY, Action.LATER, Action.LOOK_UP),
    (Outcome.LOST, 200, Action.RETRY, Action.LATER, Action.LOOK_UP),
    (Outcome.LOST, 404, Action.RETRY, Action.LATER, Action.LOOK_UP),
    (Outcome.ANSWERED, 408, Action.RETRY, Action.LATER, Action.LOOK_UP),
    (Outcome.ANSWERED, 500, Action.RETRY, Action.LATER, Action.LOOK_UP),
    (Outcome.ANSWERED, 502, Action.RETRY, Action.LATER, Action.LOOK_UP),
    (Outcome.ANSWERED, 504, Action.RETRY, Action.LATER, Action.LOOK_UP),
    (Outcome.UNUSABLE, 524, Action.RETRY, Action.LATER, Action.LOOK_UP),
    (Outcome.UNUSABLE, 200, Action.STOP, Action.STOP, Action.LOOK_UP),
    (Outcome.UNUSABLE, 302, Action.STOP, Action.STOP, Action.LOOK_UP),
    (Outcome.UNUSABLE, 403, Action.STOP, Action.STOP, Action.LOOK_UP),
    (Outcome.TOO_LARGE, 200, Action.STOP, Action.STOP, Action.LOOK_UP),
    (Outcome.ANSWERED, 400, Action.STOP, Action.STOP, Action.STOP),
    (Outcome.ANSWERED, 401, Action.STOP, Action.STOP, Action.STOP),
    (Outcome.UNUSABLE, 401, Action.STOP, Action.STOP, Action.STOP),
    (Outcome.ANSWERED, 403, Action.STOP, Action.STOP, Action.STOP),
    (Outcome.ANSWERED, 404, Action.STOP, Action.STOP, Action.STOP),
    (Outcome.ANSWERED, 409, Action.STOP, Action.STOP, Action.STOP),
    (Outcome.ANSWERED, 412, Action.STOP, Action.STOP, Action.STOP),
    (Outcome.ANSWERED, 422, Action.STOP, Action.STOP, Action.STOP),
]


def action(attempt: Attempt) -> Action:
    return decide(attempt, randomness=0.5).action


@pytest.mark.parametrize(("outcome", "status", "read", "last_read", "change"), TABLE)
def test_the_table(outcome: Outcome, status: int | None, read: Action, last_read: Action, change: Action) -> None:
    assert action(Attempt(CallKind.READ, "GET", outcome, 1, status)) is read
    assert action(Attempt(CallKind.READ, "GET", outcome, LAST, status)) is last_read
    for kind in (CallKind.ONCE, CallKind.REPEATABLE):
        for method in ("POST", "PATCH", "PUT", "DELETE"):
            assert action(Attempt(kind, method, outcome, 1, status)) is change


attempts = st.builds(
    Attempt,
    kind=st.sampled_from(CallKind),
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    outcome=st.sampled_from(Outcome),
    number=st.integers(1, 10_000),
    status=st.none() | st.integers(100, 599),
    retry_after_seconds=st.none() | st.floats(-1e12, 1e12),
)
randomness = st.floats(0, 1, exclude_max=True)


@given(attempts, randomness)
def test_a_change_is_never_tried_again_here(attempt: Attempt, randomness: float) -> None:
    if attempt.kind is not CallKind.READ or attempt.method != "GET":
        assert decide(attempt, randomness=randomness).action is not Action.RETRY


@given(attempts, randomness)
def test_trying_later_is_offered_for_a_change_only_when_nothing_was_done(attempt: Attempt, randomness: float) -> None:
    if attempt.kind is CallKind.READ or decide(attempt, randomness=randomness).action is not Action.LATER:
        return
    assert attempt.outcome is Outcome.NOT_SENT or attempt.status in {423, 429, 503}


@given(attempts, randomness)
def test_done_needs_a_complete_answer(attempt: Attempt, randomness: float) -> None:
    done = decide(attempt, randomness=randomness).action is Action.DONE
    complete = attempt.outcome is Outcome.ANSWERED
    assert done == (complete and attempt.status is not None and attempt.status // 100 == 2)


@given(attempts, randomness)
def test_waits_are_bounded_and_respect_what_neon_asked(attempt: Attempt, randomness: float) -> None:
    decision = decide(attempt, randomness=randomness)
    if decision.action not in {Action.RETRY, Action.LATER}:
        assert decision.wait_seconds == 0
        return
    asked = min(attempt.retry_after_seconds or 0.0, DEFAULT_POLICY.retry_after_cap_seconds)
    assert max(asked, 0.0) <= decision.wait_seconds <= DEFAULT_POLICY.retry_after_cap_seconds


@given(st.integers(1, 10_000), st.booleans())
def test_jitter_is_full(number: int, busy: bool) -> None:
    assert backoff_seconds(number, randomness=0.0, busy=busy) == 0.0
    half = backoff_seconds(number, randomness=0.5, busy=busy)
    assert backoff_seconds(number, randomness=0.25, busy=busy) == pytest.approx(half / 2)


def test_the_ceiling_doubles_up_to_the_cap() -> None:
    policy = RetryPolicy(busy_base_seconds=2.0, cap_seconds=30.0)
    ceilings = [backoff_seconds(n, randomness=1.0, busy=True, policy=policy) for n in range(1, 7)]
    assert ceilings == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_only_calls_that_do_no_harm_twice_are_repeatable() -> None:
    assert {name for name, call in CATALOGUE.items() if call.kind is CallKind.ONCE} == {
        "branches.create",
        "branches.finalize_restore",
        "branches.restore",
        "databases.create",
        "databases.delete",
        "databases.update",
        "endpoints.create",
        "endpoints.restart",
        "projects.create",
        "roles.create",
        "roles.delete",
        "roles.reset_password",
        "snapshots.create",
        "snapshots.restore",
    }
    for call in CATALOGUE.values():
        assert (call.kind is CallKind.READ) == (call.method == "GET")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 7 ", 7.0),
        ("120", 120.0),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOW - timedelta(seconds=30), usegmt=True), 0.0),
        ("Sun, 22 Nov 2026 10:00:05 -0000", 5.0),
        ("Sunday, 22-Nov-26 10:00:05 GMT", 5.0),
        ("Sun Nov 22 10:00:05 2026", 5.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("٣", None),
        ("9" * 5000, 1e9),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == seconds


@given(st.text() | st.from_regex(r"\w{3}, \d{1,3} \w{3} \d{1,6} \d\d:\d\d:\d\d [\w+-]{1,6}"))
def test_retry_after_reads_anything(value: str) -> None:
    seconds = parse_retry_after(value, now=NOW)
    assert seconds is None or seconds >= 0
