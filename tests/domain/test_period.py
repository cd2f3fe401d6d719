"""Days, weeks and quarters in UTC."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.period import Period, quarter_of, week_of

DAYS = st.dates(dt.date(1990, 1, 1), dt.date(2100, 1, 1))


@given(DAYS)
def test_quarters_and_weeks_follow_each_other_without_gap_or_overlap(day):
    for period_of in (quarter_of, week_of):
        period = period_of(day)
        assert period.first <= day <= period.last
        assert period_of(period.last + dt.timedelta(days=1)).begins_at == period.ends_before


@given(DAYS)
def test_a_quarter_has_three_months_and_a_week_seven_days(day):
    assert quarter_of(day).first.month in {1, 4, 7, 10}
    assert 90 <= quarter_of(day).days <= 92
    assert week_of(day).days == 7
    assert week_of(day).first.isoweekday() == 1


def test_the_last_moment_of_the_last_day_belongs_to_it():
    period = Period(dt.date(2026, 7, 1), dt.date(2026, 9, 30))
    assert dt.datetime(2026, 9, 30, 23, 59, 59, 999999, tzinfo=dt.UTC) in period
    assert dt.datetime(2026, 10, 1, tzinfo=dt.UTC) not in period
    assert dt.datetime(2026, 7, 1, tzinfo=dt.UTC) in period


def test_a_period_does_not_end_before_it_begins():
    with pytest.raises(ValueError, match="before the first"):
        Period(dt.date(2026, 7, 2), dt.date(2026, 7, 1))
