"""Periods of days, as auditors name them: whole days in UTC, the last one included."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day's beginning to the last day's end, UTC.

    Raises ValueError when the last day is before the first.
    """

    first: dt.date
    last: dt.date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("The last day is before the first.")

    @property
    def begins_at(self) -> dt.datetime:
        return _midnight(self.first)

    @property
    def ends_before(self) -> dt.datetime:
        """The first moment that lies outside."""
        return _midnight(self.last + dt.timedelta(days=1))

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def __contains__(self, moment: dt.datetime) -> bool:
        return self.begins_at <= moment < self.ends_before

    def __str__(self) -> str:
        return f"{self.first.isoformat()} to {self.last.isoformat()} (UTC)"


def quarter_of(day: dt.date) -> Period:
    """The quarter of a year that holds this day."""
    month = (day.month - 1) // 3 * 3 + 1
    after = dt.date(day.year + month // 10, (month + 3 - 1) % 12 + 1, 1)
    return Period(dt.date(day.year, month, 1), after - dt.timedelta(days=1))


def week_of(day: dt.date) -> Period:
    """Monday to Sunday around this day (ISO 8601)."""
    monday = day - dt.timedelta(days=day.weekday())
    return Period(monday, monday + dt.timedelta(days=6))


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.min, tzinfo=dt.UTC)
