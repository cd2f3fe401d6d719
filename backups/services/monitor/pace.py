"""How often the monitor may call: far enough below Neon's limits that restores always find room."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.conf import settings

#: Of Neon's 40 calls a second on one route.
ROUTE_CALLS_A_SECOND = 30.0


class Pace:
    """Token buckets, one for each key and one for each key and route. Safe to share between threads."""

    def __init__(
        self,
        *,
        calls_a_minute: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls_a_minute = calls_a_minute
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        # Name of a bucket: (tokens left, when that was so).
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def wait(self, *, key: str, route: str, longest_seconds: float, calls: int = 1) -> bool:
        """Waits until so many more calls fit. False when that would take longer; then nothing is counted."""
        with self._lock:
            now = self._clock()
            wait_seconds = max(
                self._missing((key, ""), self._calls_a_minute, self._calls_a_minute / 60, now, calls),
                self._missing((key, route), ROUTE_CALLS_A_SECOND, ROUTE_CALLS_A_SECOND, now, calls),
            )
            if wait_seconds > longest_seconds:
                return False
            for name in ((key, ""), (key, route)):
                tokens, at = self._buckets[name]
                self._buckets[name] = (tokens - calls, at)
        if wait_seconds > 0:
            self._sleep(wait_seconds)
        return True

    def _missing(self, name: tuple[str, str], capacity: float, per_second: float, now: float, calls: int) -> float:
        tokens, at = self._buckets.get(name, (capacity, now))
        tokens = min(capacity, tokens + (now - at) * per_second)
        self._buckets[name] = (tokens, now)
        return max(0.0, (calls - tokens) / per_second)


_pace: Pace | None = None
_making = threading.Lock()


def shared_pace() -> Pace:
    """The one of this process: what a cycle has used counts for the next."""
    global _pace
    with _making:
        if _pace is None:
            _pace = Pace(calls_a_minute=settings.MONITOR_CALLS_PER_MINUTE)
        return _pace
