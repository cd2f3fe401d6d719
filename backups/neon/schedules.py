"""The backup schedule of a root branch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.sending import without_none
from backups.neon.wire import Raw

# How many days there are to choose from. Neon takes no other frequency today.
_DAYS = {"daily": 0, "weekly": 7, "monthly": 31}
SHORTEST_RETENTION_SECONDS = 3600
LONGEST_RETENTION_SECONDS = 35 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ScheduleItem:
    """One rule. `frequency` is daily, weekly or monthly; other words are read as they come, and never sent.

    `hour` is 0 to 23 in UTC, and Neon wants it for every frequency; `day` is 1 (Monday) to 7 for weekly and 1 to 31
    for monthly. Without `retention_seconds` Neon keeps a scheduled snapshot for 35 days, which is also the most.
    """

    frequency: str
    hour: int | None = None
    day: int | None = None
    retention_seconds: int | None = None

    def body(self) -> dict[str, Any]:
        """Raises ValueError for a rule that Neon does not take."""
        self._check()
        return without_none(
            frequency=self.frequency, hour=self.hour, day=self.day, retention_seconds=self.retention_seconds
        )

    def _check(self) -> None:
        days = _DAYS.get(self.frequency)
        if days is None:
            raise ValueError(f"Neon takes snapshots {', '.join(_DAYS)}, not {self.frequency}")
        if self.hour is None or not 0 <= self.hour <= 23:
            raise ValueError("a schedule needs an hour from 0 to 23")
        if (days and self.day is None) or (self.day is not None and not 1 <= self.day <= days):
            raise ValueError(f"a {self.frequency} schedule {f'needs a day from 1 to {days}' if days else 'has no day'}")
        kept = self.retention_seconds
        if kept is not None and not SHORTEST_RETENTION_SECONDS <= kept <= LONGEST_RETENTION_SECONDS:
            raise ValueError("Neon keeps a scheduled snapshot for an hour to 35 days")

    @classmethod
    def of(cls, raw: Raw) -> ScheduleItem:
        return cls(
            frequency=wire.required_text(raw, "frequency"),
            hour=wire.integer(raw, "hour"),
            day=wire.integer(raw, "day"),
            retention_seconds=wire.integer(raw, "retention_seconds"),
        )


class Schedules:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def get(self, project_id: str, branch_id: str) -> tuple[ScheduleItem, ...]:
        """Empty when the branch has no schedule: Neon takes no snapshot of its own accord."""
        return self._caller.read("schedules.get", _items, project_id=project_id, branch_id=branch_id)

    def put(
        self, project_id: str, branch_id: str, items: Iterable[ScheduleItem], *, request_id: str | None = None
    ) -> None:
        """Replace the whole schedule; no items turn it off. It holds at once: Neon starts no operation for it."""
        self._caller.change(
            "schedules.put",
            _nothing,
            {"schedule": [item.body() for item in items]},
            request_id=request_id,
            project_id=project_id,
            branch_id=branch_id,
        )


def _items(raw: Raw) -> tuple[ScheduleItem, ...]:
    return tuple(ScheduleItem.of(item) for item in wire.objects_in(raw, "schedule"))


def _nothing(raw: Raw, request_id: str) -> None:
    """Any success will do: Neon answers an empty object."""
