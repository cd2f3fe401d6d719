"""What the supervisor does by itself every second or so; each duty has a thread, so a slow one delays no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import close_old_connections, connection

from backups.domain.correlation import request_id_scope

logger = logging.getLogger(__name__)

# What fails again and again is tried less often, or an outage of an hour would fill the log.
_LONGEST_PAUSE_SECONDS = 10.0


@dataclass(frozen=True)
class Duty:
    name: str
    every_seconds: float
    act: Callable[[], object]
    on_failure: Callable[[], object] = lambda: None


class DutyRoster:
    """Threads that begin with `start` and end with `stop`; what a duty raises is logged, and the duty goes on."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep_doing, args=(duty,), name=duty.name, daemon=True) for duty in duties
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout_seconds: float) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout_seconds)

    def _keep_doing(self, duty: Duty) -> None:
        pause_seconds = duty.every_seconds
        while not self._stopping.is_set():
            well = do_once(duty)
            pause_seconds = duty.every_seconds if well else min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            self._stopping.wait(pause_seconds)
        connection.close()


def do_once(duty: Duty) -> bool:
    """Whether it went well. Never raises: what went wrong is logged, and the duty is told."""
    with request_id_scope():
        try:
            close_old_connections()
            duty.act()
        except Exception:
            logger.exception("%s failed; it is tried again", duty.name)
            connection.close()
            duty.on_failure()
            return False
    return True
