"""The period that a page for auditors is about, from its address."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.http import HttpRequest

from backups.domain.period import Period, quarter_of

MOST_DAYS = 3 * 366


@dataclass(frozen=True, slots=True)
class Chosen:
    """`error` is a sentence beside the fields when the period of the address is none; then this quarter is shown."""

    period: Period
    error: str
    first: str
    last: str

    @property
    def query(self) -> str:
        return f"first={self.period.first}&last={self.period.last}"


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A period that people ask for often."""

    label: str
    query: str


def chosen_period(request: HttpRequest, now: dt.datetime) -> Chosen:
    """`first` and `last` of the address; this quarter where there is neither."""
    first, last = request.GET.get("first", "").strip(), request.GET.get("last", "").strip()
    usual = quarter_of(now.astimezone(dt.UTC).date())
    if not first and not last:
        return Chosen(usual, "", str(usual.first), str(usual.last))
    try:
        period = Period(dt.date.fromisoformat(first or last), dt.date.fromisoformat(last or first))
    except ValueError:
        sentence = "Write both days as 2026-07-01, the first not after the last. This quarter is shown."
        return Chosen(usual, sentence, first, last)
    if period.days > MOST_DAYS or period.last.year >= 9999:
        return Chosen(usual, "Choose at most three years. This quarter is shown.", first, last)
    return Chosen(period, "", str(period.first), str(period.last))


def shortcuts(now: dt.datetime) -> list[Shortcut]:
    """This quarter, the last one, and the year."""
    today = now.astimezone(dt.UTC).date()
    this = quarter_of(today)
    before = quarter_of(this.first - dt.timedelta(days=1))
    year = Period(dt.date(today.year, 1, 1), dt.date(today.year, 12, 31))
    named = (("this quarter", this), ("last quarter", before), ("this year", year))
    return [Shortcut(label, f"first={period.first}&last={period.last}") for label, period in named]
