"""``manage.py run_worker``: runs the queue's tasks, and goes on doing so."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils.module_loading import import_string

from backups.services.database_roles import say_at_start_what_is_unguarded
from backups.services.sealing.watch import say_at_start_what_is_unsealed
from backups.services.worker import release_fetched_tasks, send_canary
from backups.worker.cluster import die_with_parent, run_cluster
from backups.worker.duties import Duty
from backups.worker.sealer import SealerProcess, take_sealers_environment
from backups.worker.supervisor import Supervisor, Timing


class Command(BaseCommand):
    help = "Runs restores and other tasks. Stops on SIGTERM after the tasks that have begun; a second SIGTERM kills."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--die-with-parent",
            action="store_true",
            help="Stop when the process that started this one ends (Linux).",
        )
        # How the supervisor starts its child: descriptor of the pulse, and the supervisor's process id.
        parser.add_argument("--cluster", nargs=2, type=int, help=argparse.SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["cluster"]:
            pulse_fd, supervisor_pid = options["cluster"]
            sys.exit(run_cluster(pulse_fd=pulse_fd, supervisor_pid=supervisor_pid))
        if options["die_with_parent"]:
            die_with_parent(os.getppid(), number=signal.SIGTERM)
        say_at_start_what_is_unguarded()
        say_at_start_what_is_unsealed()
        sealer = SealerProcess(take_sealers_environment())
        try:
            status = _supervisor(sealer).run()
        finally:
            sealer.stop(within_seconds=settings.WORKER_STOP_SECONDS)
        sys.exit(status)


def _supervisor(sealer: SealerProcess) -> Supervisor:
    duties = [*_duties(), *([Duty("sealer", settings.WORKER_WAKE_SECONDS, sealer.keep)] if sealer.is_wanted else [])]
    return Supervisor(timing=_timing(), canary=_canary(), before_start=release_fetched_tasks, duties=duties)


def _canary() -> Duty:
    node = f"{socket.gethostname()}:{os.getpid()}"
    return Duty("heartbeat", settings.WORKER_HEARTBEAT_SECONDS, lambda: send_canary(node=node))


def _duties() -> list[Duty]:
    return [Duty(path, seconds, import_string(path)) for path, seconds in settings.WORKER_DUTIES.items()]


def _timing() -> Timing:
    return Timing(
        heartbeat_seconds=settings.WORKER_HEARTBEAT_SECONDS,
        watchdog_seconds=settings.WORKER_WATCHDOG_SECONDS,
        start_seconds=settings.WORKER_START_SECONDS,
        stop_seconds=settings.WORKER_STOP_SECONDS,
        restart_seconds=settings.WORKER_RESTART_SECONDS,
        task_timeout_seconds=settings.TASK_TIMEOUT_SECONDS,
        workers=settings.WORKER_PROCESSES,
    )
