"""A real `manage.py run_worker`, its processes, and the trivial tasks it can be given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from backups.services.worker import record_heartbeat
from tests.support.database import OwnDatabase

PATIENCE_SECONDS = 40.0
# A watchdog that must not bark while six other programs share the processor, and yet ends a test in seconds.
FAST = {
    "WORKER_HEARTBEAT_SECONDS": "0.2",
    "WORKER_WATCHDOG_SECONDS": "3",
    "WORKER_WAKE_SECONDS": "0.1",
    "WORKER_RESTART_SECONDS": "0.1",
    "WORKER_STOP_SECONDS": "10",
}


def note(name: str) -> None:
    """A task: leaves a row that the test can see."""
    record_heartbeat(node=f"note:{name}")


def slow_note(name: str, seconds: float) -> None:
    note(f"{name} began")
    time.sleep(seconds)
    note(f"{name} ended")


def wait_until(happened: Callable[[], object], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain until {what}"
        time.sleep(0.02)


class RunningWorker:
    """The processes are named as django-q names them: main, sentinel, and below it workers, pusher, monitor."""

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path) -> None:
        self.process = process
        self.log_path = log_path
        self._ever_seen: dict[int, psutil.Process] = {}

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def main(self) -> psutil.Process:
        return self._only_child(psutil.Process(self.process.pid))

    def sentinel(self) -> psutil.Process:
        return self._only_child(self.main())

    def pool(self) -> list[psutil.Process]:
        """Workers, monitor and pusher, in the order in which they were started."""
        return sorted(self.sentinel().children(), key=lambda process: process.pid)

    def workers(self) -> list[psutil.Process]:
        return [process for process in self.pool() if self._is_worker(process)]

    def everything(self) -> list[psutil.Process]:
        """Every process of the worker that this object has ever met and that still runs."""
        try:
            found = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            found = []
        self._ever_seen |= {process.pid: process for process in found}
        return [process for process in self._ever_seen.values() if _runs(process)]

    def wait_until_nothing_runs(self) -> None:
        wait_until(lambda: not [p for p in self._ever_seen.values() if _runs(p)], "every process is gone")

    def _only_child(self, process: psutil.Process) -> psutil.Process:
        (child,) = process.children()
        return child

    def _is_worker(self, process: psutil.Process) -> bool:
        return f'ready for work at {process.pid}"' in self.log


@contextmanager
def running_worker(database: OwnDatabase, tmp_path: Path, **environment: str) -> Iterator[RunningWorker]:
    log_path = tmp_path / f"worker-{time.monotonic_ns()}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_worker"],
            cwd=settings.BASE_DIR,
            env=worker_environment(database) | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    worker = RunningWorker(process, log_path)
    try:
        wait_until(lambda: "guarding cluster" in worker.log or process.poll() is not None, "the worker has started")
        assert process.poll() is None, "the worker did not start"
        yield worker
    except BaseException:
        sys.stderr.write(worker.log)
        raise
    finally:
        worker.everything()
        _end(worker)


def worker_environment(database: OwnDatabase) -> dict[str, str]:
    own = {
        "DJANGO_SETTINGS_MODULE": "carecircle_ops.settings",
        "DATABASE_URL": database.url,
        "SECRET_KEY": settings.SECRET_KEY,
        "SECRETS_KEY": ",".join(settings.SECRETS_KEYS),
        "SITE_URL": settings.SITE_URL,
        # The queue says only then which of its processes has become what.
        "LOG_LEVEL": "DEBUG",
        "ROLE": "worker",
    }
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return inherited | FAST | own


@pytest.fixture
def worker(own_database: OwnDatabase, tmp_path: Path) -> Iterator[RunningWorker]:
    with running_worker(own_database, tmp_path) as running:
        yield running


def _end(worker: RunningWorker) -> None:
    worker.process.send_signal(signal.SIGTERM)
    try:
        worker.process.wait(15)
    finally:
        for process in worker.everything():
            process.kill()
        worker.process.wait()


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
