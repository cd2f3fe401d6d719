"""Periods without observation: the portal writes a heartbeat every ten minutes, so that its silence shows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import connection

from backups.domain.period import Period
from backups.models import LedgerEvent

#: One heartbeat may be late by half of its interval before the silence counts.
LONGEST_SILENCE = dt.timedelta(minutes=15)
HEARTBEAT = "system.heartbeat"

# Served by ledger_by_type: only heartbeats of the period are read, 144 a day.
_GAPS = """
SELECT before, recorded_at FROM (
    SELECT recorded_at, lag(recorded_at) OVER (ORDER BY recorded_at, id) AS before
      FROM backups_ledgerevent
     WHERE type = %s AND recorded_at >= %s AND recorded_at < %s
) beats WHERE recorded_at - before > make_interval(secs => %s) ORDER BY recorded_at
"""


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody saw whether anything happened. `ends_at` None: it lasts until now."""

    begins_at: dt.datetime
    ends_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Observation:
    """`first`: the first heartbeat ever; before it nothing is known. None: there never was one."""

    first: dt.datetime | None
    gaps: list[Gap]


def observation(period: Period, now: dt.datetime) -> Observation:
    """The silences that touch the period. Three queries."""
    beats = LedgerEvent.objects.filter(type=HEARTBEAT)
    first = beats.order_by("recorded_at", "id").values_list("recorded_at", flat=True).first()
    if first is None:
        return Observation(None, [])
    earlier = beats.filter(recorded_at__lt=period.begins_at).order_by("-recorded_at", "-id")
    begin = earlier.values_list("recorded_at", flat=True).first() or period.begins_at
    found = [Gap(before, after) for before, after in _between(begin, period.ends_before)]
    return Observation(first, found + _unfinished(period, now))


def _between(begin: dt.datetime, end: dt.datetime) -> list[tuple[dt.datetime, dt.datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(_GAPS, [HEARTBEAT, begin, end, LONGEST_SILENCE.total_seconds()])
        return [(before, after) for before, after in cursor.fetchall()]


def _unfinished(period: Period, now: dt.datetime) -> list[Gap]:
    """The silence after the period's last heartbeat: it ends with the next one, or has not ended."""
    end = min(period.ends_before, now)
    beats = LedgerEvent.objects.filter(type=HEARTBEAT)
    last = beats.filter(recorded_at__lt=end).order_by("-recorded_at", "-id").first()
    if last is None:
        return []
    after = beats.filter(recorded_at__gte=end).order_by("recorded_at", "id").first()
    silent_until = after.recorded_at if after else now
    if silent_until - last.recorded_at <= LONGEST_SILENCE:
        return []
    return [Gap(last.recorded_at, after.recorded_at if after else None)]
