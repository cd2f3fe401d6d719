"""The backup schedule of a root branch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.sending import without_none
from backups.neon.wire import Raw


@dataclass(frozen=True, slots=True)
class ScheduleItem:
    """One rule. `frequency` is daily, weekly or monthly at Neon today; other words are read as they come.

    `hour` is 0 to 23 in UTC; `day` is 1 (Monday) to 7 for weekly and 1 to 31 for monthly. Without
    `retention_seconds` Neon keeps a scheduled snapshot for 35 days, which is also the most that it takes.
    """

    frequency: str
    hour: int | None = None
    day: int | None = None
    retention_seconds: int | None = None

    def body(self) -> dict[str, Any]:
        return without_none(
            frequency=self.frequency, hour=self.hour, day=self.day, retention_seconds=self.retention_seconds
        )

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
