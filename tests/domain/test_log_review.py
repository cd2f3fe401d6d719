"""When the log counts as reviewed, and who may sign."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from backups.domain.log_review import (
    ReviewOf,
    ReviewSituation,
    WeekState,
    is_about,
    reviewed_weeks,
    sign_refusal,
)
from backups.domain.people import Actor, ActorKind, Role

# A Thursday.
NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
DANA = Actor(kind=ActorKind.HUMAN, name="dana", user_id=4, roles=(Role.AUDITOR,))
WHOLE = ReviewSituation(actor=DANA, is_signed=False, items=3, marked=3, unexplained=0, marked_own=0)


def states(signed: list[ReviewOf], *, began_days_ago: int = 100, weeks: int = 4) -> list[WeekState]:
    found = reviewed_weeks(signed, began_at=NOW - began_days_ago * DAY, now=NOW, every_days=7, weeks=weeks)
    return [week.state for week in found]


def test_weeks_are_whole_and_end_with_the_present_one():
    found = reviewed_weeks([], began_at=None, now=NOW, every_days=7, weeks=13)
    assert len(found) == 13
    assert found[-1].week.first == dt.date(2026, 11, 23)
    assert {week.state for week in found} == {WeekState.NO_LOG}


def test_without_reviews_weeks_are_missed_once_their_time_is_over():
    # The last whole week ended on Monday morning; its review has until Tuesday in a week.
    assert states([]) == [WeekState.MISSED, WeekState.MISSED, WeekState.NOT_DUE, WeekState.NOT_DUE]


def test_one_review_covers_every_week_before_its_end():
    monday = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
    assert states([ReviewOf(monday, monday + dt.timedelta(hours=1))]) == [
        WeekState.LATE,
        WeekState.IN_TIME,
        WeekState.IN_TIME,
        WeekState.NOT_DUE,
    ]


def test_weeks_before_the_first_event_have_no_log():
    assert states([], began_days_ago=5)[:2] == [WeekState.NO_LOG, WeekState.NO_LOG]


@pytest.mark.parametrize(
    ("target_kind", "target_id", "actor_ref", "concerns"),
    [
        ("page", "/", "user:4", True),
        ("account", "user:4", "user:5", True),
        ("account", "user:44", "user:5", False),
        ("page", "user:4", "system:portal", False),
    ],
)
def test_an_event_concerns_who_caused_it_and_whose_account_it_is(target_kind, target_id, actor_ref, concerns):
    assert is_about(4, actor_ref=actor_ref, target_kind=target_kind, target_id=target_id) is concerns


def test_nobody_is_never_concerned():
    assert not is_about(None, actor_ref="user:None", target_kind="page", target_id="/")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"actor": replace(DANA, roles=(Role.ENGINEER,))}, "Only an auditor"),
        ({"actor": replace(DANA, kind=ActorKind.SERVICE)}, "Only an auditor"),
        ({"is_signed": True}, "signed already"),
        ({"marked": 2}, "1 of 3 events have no mark"),
        ({"unexplained": 1}, "words that explain it"),
        ({"marked_own": 1}, "somebody else must sign"),
    ],
)
def test_a_signature_is_refused_in_words(changed, words):
    assert words in (sign_refusal(replace(WHOLE, **changed)) or "")


def test_a_whole_review_can_be_signed():
    assert sign_refusal(WHOLE) is None
