"""A process that raises workers by forking: each can be killed, and none has to load Django first.

Reads one JSON object a line: the run, the database, the environment and settings of the worker. Answers with how the
worker ended: 0, or minus the number of the signal that killed it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LONGEST_SECONDS = 60


class Nursery:
    """The other end of the pipe, for tests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self, **order: Any) -> None:
        """Starts a worker; `end` waits for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def pid(self) -> int:
        """The worker that was just begun."""
        return int(self._answer()["pid"])

    def end(self) -> int:
        """How the worker ended."""
        return int(self._answer()["ended"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def running_nursery() -> Iterator[Nursery]:
    command = [sys.executable, "-m", "tests.services.execution.nursery"]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        # Leaving the block closes the pipes; the end of its input ends the process.
        yield Nursery(process)


def main() -> None:
    import django

    django.setup()
    import tests.services.execution.scene  # noqa: F401  everything that a worker needs is loaded before the fork

    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _work(order)
        _say(pid=pid)
        _, status = os.waitpid(pid, 0)
        _say(ended=os.waitstatus_to_exitcode(status))


def _say(**answer: int) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _work(order: dict[str, Any]) -> None:
    signal.alarm(LONGEST_SECONDS)
    try:
        _work_until_it_rests(order)
    finally:
        sys.stderr.flush()
        os._exit(0)


def _work_until_it_rests(order: dict[str, Any]) -> None:
    from django.conf import settings

    from backups.models import Execution
    from tests.services.execution.scene import work
    from tests.support.database import point_django_at

    os.environ.update(order["environment"])
    for name, value in order["settings"].items():
        setattr(settings, name, value)
    point_django_at(order["database_url"])
    work(Execution.objects.get(pk=order["execution_id"]))


if __name__ == "__main__":
    main()
