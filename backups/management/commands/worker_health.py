"""``manage.py worker_health``: exit status 0 when tasks are being run."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand

from backups.selectors.worker import WorkerState, worker_health


class Command(BaseCommand):
    help = "Prints as JSON how old the worker's last heartbeat is and what waits. Exit status 1 unless it is fresh."

    def handle(self, *args: Any, **options: Any) -> None:
        health = worker_health()
        self.stdout.write(json.dumps(health.as_dict()))
        if health.state is not WorkerState.OK:
            sys.exit(1)
