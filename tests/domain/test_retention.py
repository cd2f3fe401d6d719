"""Until when a record is kept."""

from __future__ import annotations

import datetime as dt

from backups.domain.retention import RetentionRule

LEAP_DAY = dt.datetime(2028, 2, 29, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-5)))


def test_years_are_counted_from_the_utc_day_and_never_one_too_few():
    assert RetentionRule(7, "", LEAP_DAY).oldest_kept_until == dt.date(2035, 3, 1)
    assert RetentionRule(7, "", LEAP_DAY - dt.timedelta(hours=6)).oldest_kept_until == dt.date(2035, 3, 1)
    assert RetentionRule(8, "", LEAP_DAY - dt.timedelta(hours=6)).oldest_kept_until == dt.date(2036, 2, 29)


def test_a_hold_has_no_end_and_an_empty_log_no_beginning():
    assert RetentionRule(7, "Doe v. CareCircle", LEAP_DAY).oldest_kept_until is None
    assert RetentionRule(7, "", None).oldest_kept_until is None
