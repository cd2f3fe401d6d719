"""Limits of one call, and the moment when it must be over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. `total_seconds` covers a whole call: name look-up, connection, every retry of a read and the
    last byte of the answer. It has to stay below the lease of the step that makes the call."""

    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    total_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Deadline:
    ends_at: float
    clock: Callable[[], float]

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float]) -> Deadline:
        return cls(ends_at=clock() + seconds, clock=clock)

    def remaining_seconds(self) -> float:
        return max(0.0, self.ends_at - self.clock())

    @property
    def is_over(self) -> bool:
        return self.remaining_seconds() <= 0.0
