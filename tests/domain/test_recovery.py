"""Stages of a recovery: nothing is guessed, shares add up, and percentiles are values that were really measured."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.recovery import Moment, Recovery, RecoveryKind, percentile, shares, spread_of, summarise

AT = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
SECONDS = st.integers(0, 100_000)


def recovery(objective: int | None = None, yielded: int = 0, **seconds: int) -> Recovery:
    return Recovery(
        kind=RecoveryKind.RESTORE,
        reference="R-0001",
        key=1,
        project_name="carecircle-prod",
        branch_name="main",
        moments={Moment(name): AT + dt.timedelta(seconds=after) for name, after in seconds.items()},
        outcome="completed",
        objective_seconds=objective,
        yielded_milliseconds=yielded,
    )


def test_stages_lie_between_moments_that_are_known() -> None:
    found = recovery(noticed=0, requested=60, submitted=90, verified=100)
    assert [(stage.name, stage.milliseconds) for stage in found.stages] == [
        ("noticed to requested", 60_000),
        ("requested to submitted", 30_000),
        ("submitted to verified", 10_000),
    ]
    assert found.total_milliseconds == 100_000
    assert shares(found.stages) == [0.6, 0.3, 0.1]


def test_what_was_never_verified_has_no_time_and_meets_no_objective() -> None:
    found = recovery(objective=900, noticed=0, submitted=5)
    assert (found.total_milliseconds, found.is_within_objective) == (None, None)


@pytest.mark.parametrize(("objective", "met"), [(70, True), (69, False)])
def test_what_a_drill_yielded_is_not_counted(objective: int, met: bool) -> None:
    found = recovery(objective=objective, yielded=30_000, requested=0, submitted=40, verified=100)
    assert (found.total_milliseconds, found.is_within_objective) == (70_000, met)


@given(st.lists(st.lists(SECONDS, min_size=6, max_size=6).map(sorted), max_size=8))
def test_shares_of_many_add_up(times: list[list[int]]) -> None:
    every = [recovery(**dict(zip([moment.value for moment in Moment], each, strict=True))) for each in times]
    summary = summarise(every)
    assert summary.total.count == len(every)
    assert [stage.name for stage in summary.stages] == [stage.name for stage in every[0].stages] if every else True
    whole = sum(stage.share for stage in summary.stages)
    assert whole == pytest.approx(1.0) or whole == 0


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_percentiles_were_measured(values: list[int]) -> None:
    spread = spread_of(values)
    assert spread.median_milliseconds in values
    assert spread.p95_milliseconds in values
    ordered = sorted(values)
    assert sum(value <= (spread.p95_milliseconds or 0) for value in ordered) >= 0.95 * len(ordered)


def test_of_nothing_nothing_is_known() -> None:
    assert percentile([], 95) is None
    assert summarise([]).total.median_milliseconds is None
