"""The points of a checklist, when a review is due, and when an application counts as back."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.afterwards import (
    OTHER_SYSTEMS,
    ApplicationSeen,
    Lost,
    PointCode,
    PointState,
    application_is_back,
    application_words,
    points_for,
    review_due,
    told_text,
)
from backups.domain.policy import Environment
from backups.domain.restore import RestoreKind

FRIDAY = dt.datetime(2026, 11, 27, 15, 30, tzinfo=dt.UTC)


def codes(**changed: object) -> list[PointCode]:
    asked: dict[str, object] = {
        "kind": RestoreKind.IN_PLACE,
        "environment": Environment.PRODUCTION,
        "systems": OTHER_SYSTEMS,
        "keeps_state_before": True,
        "head_before": "care.0042",
        "head_after": "care.0041",
    }
    return [point.code for point in points_for(**(asked | changed))]  # type: ignore[arg-type]


def test_an_overwrite_of_production_leaves_everything_to_do() -> None:
    found = codes()
    assert set(found) == set(PointCode) - {PointCode.COPY}
    assert found.count(PointCode.OTHER_SYSTEM) == len(OTHER_SYSTEMS)


def test_a_copy_beside_it_leaves_what_fits() -> None:
    assert codes(kind=RestoreKind.NEW_BRANCH) == [PointCode.COPY, PointCode.PEOPLE, PointCode.REVIEW]


def test_staging_has_no_review_and_nobody_to_tell() -> None:
    assert not {PointCode.PEOPLE, PointCode.REVIEW} & set(codes(environment=Environment.STAGING))


@pytest.mark.parametrize(
    ("before", "after", "state", "words"),
    [
        ("care.0042", "care.0041", PointState.OPEN, "went from care.0042 to care.0041"),
        ("care.0041", "care.0041", PointState.DONE, "need not change"),
        (None, "care.0041", PointState.OPEN, "not known"),
        (None, None, PointState.OPEN, "not known"),
    ],
)
def test_the_release_is_settled_only_by_two_equal_migrations(before, after, state, words) -> None:
    points = points_for(
        kind=RestoreKind.IN_PLACE,
        environment=Environment.STAGING,
        systems=(),
        keeps_state_before=False,
        head_before=before,
        head_after=after,
    )
    release = next(point for point in points if point.code is PointCode.RELEASE)
    assert release.state is state
    assert words in release.sentence


@pytest.mark.parametrize(
    ("completed", "due"),
    [
        (FRIDAY, FRIDAY + dt.timedelta(days=5)),
        (FRIDAY + dt.timedelta(days=1), FRIDAY + dt.timedelta(days=5)),
        (FRIDAY - dt.timedelta(days=4), FRIDAY - dt.timedelta(days=1)),
    ],
)
def test_a_review_is_due_three_working_days_later(completed, due) -> None:
    assert review_due(completed) == due


@given(st.integers(0, 20 * 366 * 24 * 60))
def test_a_due_day_is_a_working_day_with_three_of_them_between(minutes) -> None:
    completed = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
    due = review_due(completed)
    days = [completed + dt.timedelta(days=n) for n in range(1, (due - completed).days + 1)]
    assert due.weekday() < 5
    assert sum(day.weekday() < 5 for day in days) == 3


BEFORE = {"api": 30, "jobs": 8}


@pytest.mark.parametrize(
    ("before", "seen", "back"),
    [
        (BEFORE, ApplicationSeen({"api": 18, "jobs": 1}), True),
        (BEFORE, ApplicationSeen({"api": 38}), False),  # the jobs are missing
        (BEFORE, ApplicationSeen({"api": 1, "jobs": 1}), False),
        (BEFORE, ApplicationSeen(None), False),
        (None, ApplicationSeen({"api": 30}), False),
        ({}, ApplicationSeen({"api": 30}), False),
        (BEFORE, ApplicationSeen(BEFORE, health_asked=True, health_status=204), True),
        (BEFORE, ApplicationSeen(BEFORE, health_asked=True, health_status=503), False),
        (BEFORE, ApplicationSeen(BEFORE, health_asked=True, health_status=None), False),
        (BEFORE, ApplicationSeen(BEFORE, health_asked=True, health_status=302), False),
    ],
)
def test_the_portal_calls_the_application_back_only_when_it_saw_that(before, seen, back) -> None:
    assert application_is_back(before, seen) is back


def test_what_is_not_known_is_said() -> None:
    assert application_words(BEFORE, None) == "Not looked at yet."
    assert "unknown" in application_words(BEFORE, ApplicationSeen(None))
    assert "before is unknown" in application_words(None, ApplicationSeen({"api": 2}))
    words = application_words(BEFORE, ApplicationSeen({"api": 2}, health_asked=True, health_status=503))
    assert words == "2 sessions are open; there were 38 before. Its health address answers 503."


def test_the_text_for_people_holds_times_and_counts() -> None:
    text = told_text(
        branch="carecircle / main",
        lost_from=FRIDAY,
        lost_to=FRIDAY + dt.timedelta(minutes=50),
        lost=[Lost("doses given", 37, patient_safety=True), Lost("appointments", 12)],
        kept_until=FRIDAY + dt.timedelta(days=7),
    )
    assert "Check first: at least 37 doses given" in text
    assert "Also: at least 12 appointments." in text
    assert "2026-11-27 15:30:00 UTC" in text
    assert "2026-12-04 15:30:00 UTC" in text
    assert "could not be counted" in told_text(branch="b", lost_from=None, lost_to=None, lost=(), kept_until=None)
