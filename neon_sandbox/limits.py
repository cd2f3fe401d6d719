"""How often a key may call: so much a minute over all, so much at once on each route."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from neon_sandbox.problems import ApiProblem

CALLS_A_MINUTE = 700
CALLS_A_SECOND_OF_A_ROUTE = 40
CONSUMPTION_CALLS_A_MINUTE = 30


class _Bucket:
    """Full at first; each call takes one token, and they come back evenly."""

    def __init__(self, capacity: float, seconds_to_fill: float, now: float) -> None:
        self._capacity = self._tokens = capacity
        self._per_second = capacity / seconds_to_fill
        self._at = now

    def has(self, now: float) -> bool:
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return self._tokens >= 1

    def take(self) -> None:
        self._tokens -= 1


class RateLimits:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._lock = threading.Lock()

    def admit(self, key_id: str, route: str, *, consumption: bool = False) -> None:
        """Counts one call. Raises ApiProblem 429 when there were too many; such a call is not counted."""
        with self._lock:
            now = self._clock()
            buckets = self._for(key_id, route, now, consumption=consumption)
            if not all(bucket.has(now) for bucket in buckets):
                raise ApiProblem(429, "too many requests; nothing was done, try again later")
            for bucket in buckets:
                bucket.take()

    def _for(self, key_id: str, route: str, now: float, *, consumption: bool) -> list[_Bucket]:
        if consumption:
            return [self._bucket((key_id, "consumption"), CONSUMPTION_CALLS_A_MINUTE, 60, now)]
        return [
            self._bucket((key_id, ""), CALLS_A_MINUTE, 60, now),
            self._bucket((key_id, route), CALLS_A_SECOND_OF_A_ROUTE, 1, now),
        ]

    def _bucket(self, name: tuple[str, str], capacity: float, seconds_to_fill: float, now: float) -> _Bucket:
        if name not in self._buckets:
            self._buckets[name] = _Bucket(capacity, seconds_to_fill, now)
        return self._buckets[name]
