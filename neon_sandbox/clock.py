"""The sandbox's time. It runs with the real one and can be moved ahead, so that days pass in a test or a demonstration.

PostgreSQL keeps the real time. All that the sandbox remembers and answers is in its own; only where replay is told
when to stop is a moment translated back.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from neon_sandbox import times
from neon_sandbox.entities import ClockMove
from neon_sandbox.store import Store


class Clock:
    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> datetime:
        return times.now() + self._ahead()

    def move(self, seconds: float) -> datetime:
        """Lets that much time pass at once; returns the new time. Raises ValueError when it would run backwards."""
        if seconds < 0:
            raise ValueError("the clock can be moved ahead only")
        with self._store.transaction():
            self._store.put(ClockMove(id=str(uuid.uuid4()), real_at=times.now(), seconds=seconds))
        return self.now()

    def real(self, moment: datetime) -> datetime:
        """The real moment that one of the sandbox's stands for. What was skipped is the moment of the move."""
        ahead = timedelta()
        for move in self._store.find(ClockMove):
            skipped_from = move.real_at + ahead
            if moment < skipped_from:
                break
            ahead += timedelta(seconds=move.seconds)
            if moment < skipped_from + timedelta(seconds=move.seconds):
                return move.real_at
        return moment - ahead

    def _ahead(self) -> timedelta:
        return timedelta(seconds=sum(move.seconds for move in self._store.find(ClockMove)))
