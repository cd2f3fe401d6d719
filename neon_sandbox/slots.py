"""The moments at which a backup schedule wants a snapshot. UTC, at the full hour."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

LONGEST_RETENTION_SECONDS = 35 * 86_400


@dataclass(frozen=True, order=True)
class Slot:
    """A snapshot of `moment`, to be deleted at `expires_at`."""

    moment: datetime
    expires_at: datetime


def slots_between(items: Iterable[Mapping[str, Any]], after: datetime, until: datetime) -> list[Slot]:
    """In order, `after` excluded and `until` included. Items that meet at one moment make one slot, the longest."""
    found: dict[datetime, Slot] = {}
    for item in items:
        retention = timedelta(seconds=item.get("retention_seconds", LONGEST_RETENTION_SECONDS))
        for moment in _moments(item, after, until):
            slot = Slot(moment, moment + retention)
            found[moment] = max(slot, found.get(moment, slot))
    return sorted(found.values())


def _moments(item: Mapping[str, Any], after: datetime, until: datetime) -> Iterable[datetime]:
    day = after.astimezone(UTC).date()
    while day <= until.astimezone(UTC).date():
        moment = datetime.combine(day, time(hour=item["hour"]), UTC)
        if after < moment <= until and _falls_on(item, moment):
            yield moment
        day += timedelta(days=1)


def _falls_on(item: Mapping[str, Any], moment: datetime) -> bool:
    if item["frequency"] == "weekly":
        return bool(moment.isoweekday() == item["day"])
    if item["frequency"] == "monthly":
        # A month that is too short is not left without a snapshot: it has one on its last day.
        return bool(moment.day == min(item["day"], calendar.monthrange(moment.year, moment.month)[1]))
    return True
