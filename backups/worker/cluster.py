"""Runs in the child process: django-q's cluster, reporting signs of life and dying with its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from django_q.cluster import Cluster
from django_q.signals import post_execute_in_worker, post_spawn, pre_execute

from backups.worker.pulse import BEGAN, ENDED, SPAWNED, sign

_PR_SET_PDEATHSIG = 1
_PARENT_POLL_SECONDS = 0.5


def run_cluster(*, pulse_fd: int, supervisor_pid: int) -> int:
    """Returns the exit status when the cluster has ended: 0 after an orderly stop."""
    die_with_parent(supervisor_pid)
    _report_to(pulse_fd)
    cluster = Cluster()
    cluster.start()
    if not sys.platform.startswith("linux"):
        _watch_parent(supervisor_pid)
    sentinel = cluster.sentinel
    sentinel.join()
    return 0 if sentinel.exitcode == 0 else 1


def die_with_parent(parent_pid: int, *, number: signal.Signals = signal.SIGKILL) -> None:
    """On Linux: this process, and every process forked from it, is killed when its parent dies, however that was."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    own_pid = os.getpid()

    def bind(expected_parent: int, number: signal.Signals) -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != expected_parent:  # it died before the line above
            os.kill(os.getpid(), number)

    def bind_forked() -> None:
        nonlocal own_pid
        expected_parent, own_pid = own_pid, os.getpid()
        bind(expected_parent, signal.SIGKILL)

    bind(parent_pid, number)
    os.register_at_fork(after_in_child=bind_forked)


def _report_to(pulse_fd: int) -> None:
    os.set_blocking(pulse_fd, False)

    def report(kind: str) -> Any:
        def receiver(**kwargs: Any) -> None:
            # The pipe may be full, or the supervisor gone: then we are about to end as well.
            with suppress(OSError):
                os.write(pulse_fd, sign(kind, os.getpid()))

        return receiver

    for happened, kind in ((post_spawn, SPAWNED), (pre_execute, BEGAN), (post_execute_in_worker, ENDED)):
        happened.connect(report(kind), weak=False, dispatch_uid=f"backups.worker.{kind}")


def _watch_parent(parent_pid: int) -> None:
    """Where the kernel does not tell: poll, and take the whole process group along."""

    def watch() -> None:
        while os.getppid() == parent_pid:
            time.sleep(_PARENT_POLL_SECONDS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
