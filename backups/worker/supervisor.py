"""Keeps one django-q cluster running: starts it, watches its pulse, kills and replaces it when it hangs.

The cluster runs in a session of its own. Signals therefore reach only the supervisor, which passes the wish to stop
to the cluster's main process alone: that drains, whereas a signal to the group kills tasks in the middle.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from django.conf import settings

from backups.worker.duties import Duty, DutyRoster, do_once
from backups.worker.pulse import Pulse

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_AFTER_SECONDS = 60.0
_HARD_KILL_SECONDS = 3.5  # django-q kills a task this long after its time-out, at the next round of its guard


@dataclass(frozen=True)
class Timing:
    heartbeat_seconds: float
    watchdog_seconds: float
    start_seconds: float
    stop_seconds: float
    restart_seconds: float
    task_timeout_seconds: float
    workers: int


class Supervisor:
    """`run` returns the exit status when somebody asked to stop and nothing is left running."""

    def __init__(
        self, *, timing: Timing, canary: Duty, before_start: Callable[[], object], duties: Sequence[Duty]
    ) -> None:
        self._timing = timing
        self._before_start = before_start
        self._canary = canary
        self._duties = duties
        self._stop_asked = 0
        self._pulse: Pulse | None = None

    def run(self) -> int:
        roster = DutyRoster([self._watched_canary(), *self._duties])
        with self._signals():
            roster.start()
            pause_seconds = self._timing.restart_seconds
            while not self._stop_asked:
                started = time.monotonic()
                self._run_one_cluster()
                if time.monotonic() - started > _STEADY_AFTER_SECONDS:
                    pause_seconds = self._timing.restart_seconds
                self._pause(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            roster.stop(timeout_seconds=self._timing.stop_seconds)
        return 0

    def _run_one_cluster(self) -> None:
        do_once(Duty("preparing the queue", 0, self._before_start))
        read_end, write_end = os.pipe()
        try:
            process = _start_cluster(write_end)
            os.close(write_end)
            try:
                self._attend(process, read_end)
            finally:
                _end_group(process)
        finally:
            self._pulse = None
            os.close(read_end)

    def _attend(self, process: subprocess.Popen[bytes], read_end: int) -> None:
        pulse = self._pulse = self._new_pulse()
        with selectors.DefaultSelector() as selector:
            selector.register(read_end, selectors.EVENT_READ)
            while process.poll() is None and not self._stop_asked:
                if selector.select(_TICK_SECONDS):
                    self._listen(read_end, pulse)
                if pulse.is_stuck(time.monotonic()):
                    logger.critical("The cluster %s runs no tasks any more; it is killed and replaced", process.pid)
                    return
        if self._stop_asked:
            self._drain(process)
        else:
            logger.critical("The cluster %s ended by itself with status %s", process.pid, process.returncode)

    def _listen(self, read_end: int, pulse: Pulse) -> None:
        data = os.read(read_end, 65536)
        if data:
            pulse.feed(data, time.monotonic())
        else:
            time.sleep(_TICK_SECONDS)  # every writer is gone, and so, in a moment, is the main process

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        logger.info("Stopping: tasks that have begun are let finish")
        process.terminate()
        deadline = time.monotonic() + self._timing.stop_seconds
        while process.poll() is None and time.monotonic() < deadline and self._stop_asked < 2:
            time.sleep(_TICK_SECONDS / 4)

    def _new_pulse(self) -> Pulse:
        timing = self._timing
        return Pulse(
            workers=timing.workers,
            start_seconds=max(timing.start_seconds, timing.watchdog_seconds),
            idle_seconds=timing.watchdog_seconds,
            busy_seconds=max(timing.watchdog_seconds, timing.task_timeout_seconds + _HARD_KILL_SECONDS),
            started_at=time.monotonic(),
        )

    def _watched_canary(self) -> Duty:
        def act() -> None:
            self._canary.act()
            if self._pulse is not None:
                self._pulse.canary_sent(time.monotonic())

        def on_failure() -> None:
            if self._pulse is not None:
                self._pulse.canary_failed()

        return Duty(self._canary.name, self._canary.every_seconds, act, on_failure)

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stop_asked and time.monotonic() < deadline:
            time.sleep(_TICK_SECONDS / 4)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            self._stop_asked += 1  # the second time means: now

        before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _start_cluster(write_end: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "django",
        "run_worker",
        "--skip-checks",
        "--cluster",
        str(write_end),
        str(os.getpid()),
    ]
    return subprocess.Popen(
        command, pass_fds=[write_end], stdin=subprocess.DEVNULL, start_new_session=True, cwd=settings.BASE_DIR
    )


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Kills whatever is left of the cluster; after an orderly stop that is nothing."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
