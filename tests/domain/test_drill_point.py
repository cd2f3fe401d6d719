"""The random point: always inside, the same for the same seed, and any moment may come."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.drill import PointChoice
from backups.domain.drill_point import SEED_BITS, NoSuchPoint, choose_point, point_from_seed, reachable_window

UTC = dt.UTC
BEGIN = dt.datetime(2026, 3, 8, 1, tzinfo=UTC)
TIMES = st.integers(0, 10**11).map(lambda number: BEGIN + dt.timedelta(milliseconds=number))
SEEDS = st.integers(0, 2**SEED_BITS - 1)


@given(SEEDS, TIMES, st.timedeltas(dt.timedelta(milliseconds=2), dt.timedelta(days=40)))
def test_it_lies_inside_in_whole_milliseconds(seed: int, begins: dt.datetime, span: dt.timedelta) -> None:
    at = point_from_seed(seed, begins, begins + span)
    assert begins <= at <= begins + span
    assert at.microsecond % 1000 == 0


@given(SEEDS, st.sampled_from([UTC, dt.timezone(dt.timedelta(hours=-5)), dt.timezone(dt.timedelta(hours=5.75))]))
def test_the_same_seed_finds_the_same_moment_in_every_zone(seed: int, zone: dt.tzinfo) -> None:
    ends = BEGIN + dt.timedelta(days=7)
    assert point_from_seed(seed, BEGIN, ends) == point_from_seed(seed, BEGIN.astimezone(zone), ends.astimezone(zone))


def test_a_known_seed_finds_its_known_moment() -> None:
    """Written down: a change of this would make the seeds of old drills worthless."""
    found = point_from_seed(4711, BEGIN, BEGIN + dt.timedelta(days=7))
    assert found == dt.datetime(2026, 3, 9, 19, 3, 43, 893000, tzinfo=UTC)


def test_every_moment_may_come_and_none_is_preferred() -> None:
    ends = BEGIN + dt.timedelta(milliseconds=9)
    counts = [0] * 10
    for seed in range(20_000):
        counts[(point_from_seed(seed, BEGIN, ends) - BEGIN) // dt.timedelta(milliseconds=1)] += 1
    assert all(1800 < count < 2200 for count in counts), counts


@pytest.mark.parametrize("ends", [BEGIN - dt.timedelta(milliseconds=1), BEGIN.replace(tzinfo=None)])
def test_what_is_no_window_is_refused(ends: dt.datetime) -> None:
    with pytest.raises(ValueError, match=r"window is empty|without a zone"):
        point_from_seed(1, BEGIN, ends)


NOW = BEGIN + dt.timedelta(days=10)


@given(
    st.integers(1, 30 * 86_400),
    st.none() | st.timedeltas(dt.timedelta(0), dt.timedelta(days=20)),
    st.floats(0, 60),
    SEEDS,
)
def test_the_window_never_reaches_beyond_what_neon_keeps(
    history_seconds: int, age: dt.timedelta | None, margin: float, seed: int
) -> None:
    begins_at = NOW - age if age is not None else None
    try:
        window = reachable_window(now=NOW, history_seconds=history_seconds, begins_at=begins_at, margin_seconds=margin)
    except NoSuchPoint:
        return
    at = choose_point(PointChoice.RANDOM, window, now=NOW, age_seconds=None, seed=seed)
    assert NOW - dt.timedelta(seconds=history_seconds) <= at <= NOW
    assert begins_at is None or at >= begins_at


def test_an_unknown_window_is_no_window() -> None:
    with pytest.raises(NoSuchPoint, match="did not tell"):
        reachable_window(now=NOW, history_seconds=None, begins_at=None, margin_seconds=5)


def test_a_branch_that_was_just_made_has_no_history() -> None:
    with pytest.raises(NoSuchPoint, match="no history"):
        reachable_window(now=NOW, history_seconds=86_400, begins_at=NOW, margin_seconds=5)


def test_a_fixed_age_beyond_the_window_is_said() -> None:
    window = reachable_window(now=NOW, history_seconds=3600, begins_at=None, margin_seconds=5)
    with pytest.raises(NoSuchPoint, match="the plan wants more"):
        choose_point(PointChoice.FIXED_AGE, window, now=NOW, age_seconds=7200, seed=None)
    at = choose_point(PointChoice.FIXED_AGE, window, now=NOW, age_seconds=60, seed=None)
    assert at == NOW - dt.timedelta(seconds=60)
