"""Decides from signs of life whether a cluster hangs. Knows no process and no clock of its own.

A cluster whose idle worker was killed looks alive to itself and never runs a task again (the dead worker took the
queue's lock with it), so the only proof of life is a task that was run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SPAWNED, BEGAN, ENDED = "*", "+", "-"


def sign(kind: str, pid: int) -> bytes:
    """One sign of life, as a worker process writes it into the pipe (short enough to arrive in one piece)."""
    return f"{kind}{pid}\n".encode("ascii")


@dataclass
class Pulse:
    """Times are seconds of any clock that only goes forward.

    A canary must be answered by a sign of life within `idle_seconds`; while all workers are busy, within
    `busy_seconds`, the longest that a task may run.
    """

    workers: int
    start_seconds: float
    idle_seconds: float
    busy_seconds: float
    started_at: float
    _seen: bool = False
    _unanswered_since: float | None = None
    _busy_since: dict[int, float] = field(default_factory=dict)
    _rest: str = ""

    def feed(self, data: bytes, now: float) -> None:
        *lines, self._rest = (self._rest + data.decode("ascii")).split("\n")
        for line in lines:
            self._take(line[0], int(line[1:]), now)

    def canary_sent(self, now: float) -> None:
        if self._unanswered_since is None:
            self._unanswered_since = now

    def canary_failed(self) -> None:
        """The queue could not be reached, so silence proves nothing."""
        self._unanswered_since = None

    def is_stuck(self, now: float) -> bool:
        if not self._seen:
            return now - self.started_at > self.start_seconds
        if self._unanswered_since is None:
            return False
        return now - self._unanswered_since > self._patience_seconds(now)

    def _take(self, kind: str, pid: int, now: float) -> None:
        self._seen = True
        self._unanswered_since = None
        if kind == BEGAN:
            self._busy_since[pid] = now
        elif kind == ENDED:
            self._busy_since.pop(pid, None)

    def _patience_seconds(self, now: float) -> float:
        # A worker that was killed never says that it ended; no task runs longer than busy_seconds.
        busy = [pid for pid, since in self._busy_since.items() if now - since <= self.busy_seconds]
        return self.busy_seconds if len(busy) >= self.workers else self.idle_seconds
