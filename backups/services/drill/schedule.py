"""When a plan's drills are due. Everything is reckoned in UTC, so no change of clocks skips or doubles a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from cronsim import CronSim, CronSimError

from backups.domain.drill import ScheduleKind

SHORTEST_INTERVAL_SECONDS = 60
_FIELDS = 5


class Scheduled(Protocol):
    """What of a plan says when; a filled-in form will do as well."""

    schedule_kind: str
    cron: str
    interval_seconds: int | None
    interval_from: dt.datetime | None


def times_after(plan: Scheduled, after: dt.datetime) -> Iterator[dt.datetime]:
    """The plan's times later than `after`, in their order, in UTC; without an end, or none for a plan by hand.

    Raises ValueError for a schedule that `cron_problem` objects to.
    """
    kind = ScheduleKind(plan.schedule_kind)
    if kind is ScheduleKind.CRON:
        return _cron_times(plan.cron, after)
    if kind is ScheduleKind.INTERVAL:
        return _interval_times(plan, after)
    return iter(())


def next_times(plan: Scheduled, after: dt.datetime, *, count: int = 5) -> list[dt.datetime]:
    """The next `count` times, for pages."""
    return list(islice(times_after(plan, after), count))


def cron_problem(expression: str) -> str:
    """What is wrong with five fields of cron, as a sentence; empty when nothing is."""
    if len(expression.split()) != _FIELDS:
        return "Write five fields: minute, hour, day of month, month, day of week. They are read in UTC."
    try:
        first = next(_cron_times(expression, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)), None)
    except ValueError as error:
        return f"{error} An example: 0 3 * * 1 is each Monday at 03:00 UTC."
    return "" if first is not None else "No day ever fits these fields."


def cron_words(expression: str) -> str:
    """`At 03:00 on Monday`; empty for what `cron_problem` objects to."""
    if cron_problem(expression):
        return ""
    return str(CronSim(expression, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).explain())


def _cron_times(expression: str, after: dt.datetime) -> Iterator[dt.datetime]:
    try:
        return iter(CronSim(expression, after.astimezone(dt.UTC)))
    except CronSimError as error:
        raise ValueError(f"{error}.") from None


def _interval_times(plan: Scheduled, after: dt.datetime) -> Iterator[dt.datetime]:
    if plan.interval_seconds is None or plan.interval_from is None:
        raise ValueError("An interval needs its length and its first time.")
    step, first = dt.timedelta(seconds=plan.interval_seconds), plan.interval_from.astimezone(dt.UTC)
    number = max(0, (after - first) // step + 1)
    while True:
        yield first + number * step
        number += 1
