"""Who owns a state directory, and what becomes of its PostgreSQL processes when the owner is killed.

The owner holds a lock and starts a warden: a small process that inherits the lock and waits for the owner's end
of a pipe to close, which happens however the owner dies. It then stops every PostgreSQL below the directory and
only then lets go of the lock, so a new owner never meets a process of the old one.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from neon_sandbox import processes
from neon_sandbox.errors import SandboxError

LOCK_WAIT_SECONDS = 20.0
GRACE_SECONDS = 5.0


@contextmanager
def owned(state_dir: Path, clusters_dir: Path | None) -> Iterator[None]:
    """Holds the lock on `state_dir` and, if there is a `clusters_dir`, has a warden for all clusters below it.

    Raises SandboxError when another process keeps the lock for 20 s.
    """
    lock = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for_lock(lock, state_dir)
        if clusters_dir is None:
            yield
        else:
            with _guarded(lock, clusters_dir):
                yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)


@contextmanager
def _guarded(lock: int, clusters_dir: Path) -> Iterator[None]:
    stop_orphans(clusters_dir)
    warden = _start_warden(lock, clusters_dir)
    try:
        yield
    finally:
        # A byte, not only the end of the pipe: a forked child of ours may still hold its other end.
        warden.communicate(b"stop")


def stop_orphans(clusters_dir: Path) -> None:
    """Stops what is still running below `clusters_dir`; its files are left as they are, for recovery."""
    found = {pid: data_dir for data_dir, pid in _postmasters(clusters_dir)}
    for pid in found:
        processes.send(pid, signal.SIGINT)
    for pid, data_dir in found.items():
        if not processes.wait_until_gone(pid, data_dir, GRACE_SECONDS):
            processes.send(pid, signal.SIGKILL)
            processes.wait_until_gone(pid, data_dir, GRACE_SECONDS)


def when_parent_dies(act: Callable[[], None], *, poll_seconds: float = 0.2) -> None:
    """Calls `act` once, from a thread, when the process that started us is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(poll_seconds)
        act()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _wait_for_lock(lock: int, state_dir: Path) -> None:
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SandboxError(f"{state_dir} is in use by another process: stop it, or use another.") from None
            time.sleep(0.02)


def _start_warden(lock: int, clusters_dir: Path) -> subprocess.Popen[bytes]:
    # Run as a file with the standard library only: quick to start, and independent of where the package lies.
    return subprocess.Popen(
        [sys.executable, "-c", "from neon_sandbox.ownership import _warden; _warden()", str(clusters_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[lock],
        start_new_session=True,
        cwd=Path(__file__).resolve().parents[1],
    )


def _warden() -> None:
    sys.stdin.buffer.read(1)
    stop_orphans(Path(sys.argv[1]))


def _postmasters(clusters_dir: Path) -> Iterator[tuple[str, int]]:
    for pid_file in (*clusters_dir.glob("data/postmaster.pid"), *clusters_dir.glob("*/data/postmaster.pid")):
        data_dir = str(pid_file.parent)
        try:
            first = pid_file.read_text().splitlines()[0]
        except (FileNotFoundError, IndexError):
            continue
        if first.strip().isdigit() and f"-D {data_dir} " in processes.command_line(int(first)):
            yield data_dir, int(first)
