"""One month of drills: what was, what was missed, what is to come, and on which day a proof fades."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.urls import reverse

from backups.admin.drill import words
from backups.domain.drill import Standing
from backups.models import Drill, DrillSlot, ProtectedBranch

#: A plan that runs every minute would fill the page.
MOST_TIMES_A_DAY = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a day."""

    at: dt.datetime
    words: str
    title: str
    tone: str
    url: str = ""

    @property
    def icon(self) -> str:
        return words.OUTCOME_ICON[self.tone]


@dataclass(slots=True)
class Day:
    """A day in UTC and what stands on it."""

    date: dt.date
    is_today: bool
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month. `blanks`: weekdays of the month before, so that the first stands under its weekday."""

    first: dt.date
    days: list[Day]

    @property
    def blanks(self) -> range:
        return range(self.first.weekday())

    @property
    def blanks_after(self) -> range:
        return range(-(self.first.weekday() + len(self.days)) % 7)

    @property
    def before(self) -> str:
        return f"{self.first - dt.timedelta(days=1):%Y-%m}"

    @property
    def after(self) -> str:
        return f"{self.next_first:%Y-%m}"

    @property
    def next_first(self) -> dt.date:
        return (self.first + dt.timedelta(days=32)).replace(day=1)

    @property
    def begins(self) -> dt.datetime:
        return dt.datetime.combine(self.first, dt.time(), dt.UTC)

    @property
    def ends(self) -> dt.datetime:
        return dt.datetime.combine(self.next_first, dt.time(), dt.UTC)


def month_of(text: str, now: dt.datetime) -> Month:
    """The month that `2026-11` names, else the present one in UTC."""
    today = now.astimezone(dt.UTC).date()
    try:
        first = dt.date.fromisoformat(f"{text}-01" if text else f"{today}").replace(day=1)
    except ValueError:
        first = today.replace(day=1)
    if not 2000 <= first.year <= 2100:
        first = today.replace(day=1)
    last = (first + dt.timedelta(days=32)).replace(day=1)
    days = [first + dt.timedelta(days=number) for number in range((last - first).days)]
    return Month(first, [Day(day, day == today) for day in days])


def fill(month: Month, entries: Iterable[Entry]) -> None:
    """Puts each entry on its day, in the order of time."""
    by_day: dict[dt.date, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_day[entry.at.astimezone(dt.UTC).date()].append(entry)
    for day in month.days:
        day.entries = sorted(by_day[day.date], key=lambda entry: entry.at)


def entries_of_drills(drills: Iterable[Drill]) -> Iterator[Entry]:
    """Drills that ended, and exercises that are planned."""
    for drill in drills:
        at = drill.ended_at or drill.planned_for
        if at is not None:
            state = words.state_of(drill)
            yield Entry(at, state.words, f"{drill.reference} {drill.title}", state.tone, _page(drill))


def entries_of_missed(slots: Iterable[DrillSlot]) -> Iterator[Entry]:
    """Planned times that passed without a drill."""
    return (Entry(slot.due_at, "Missed", slot.plan.name, "bad") for slot in slots)


def entries_to_come(title: str, days: Iterable[Sequence[dt.datetime]], url: str) -> Iterator[Entry]:
    """A plan's times, day by day; a day with more than a few has one line that says so."""
    for times in days:
        if len(times) > MOST_TIMES_A_DAY:
            yield Entry(times[0], f"Planned more than {MOST_TIMES_A_DAY} times", title, "info", url)
        else:
            yield from (Entry(at, "Planned", title, "info", url) for at in times)


def entries_of_fading(standings: Iterable[tuple[ProtectedBranch, Standing]]) -> Iterator[Entry]:
    """The moment at which a branch's last good drill stops to count, unless another one passes."""
    for branch, standing in standings:
        if standing.last_good_at is not None and standing.limit_seconds is not None:
            at = standing.last_good_at + dt.timedelta(seconds=standing.limit_seconds)
            yield Entry(at, "Proof fades", f"{branch.project.name} / {branch.name}", "warn")


def _page(drill: Drill) -> str:
    return reverse("ops:drill", args=[drill.pk])
