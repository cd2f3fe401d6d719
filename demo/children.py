"""Child processes of the demo: started with a log each, stopped in reverse, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

_START_SECONDS = 60
_STOP_SECONDS = 20


class ChildFailed(Exception):
    """A part of the demo did not start or ended early; the message names its log."""


class Children:
    """Starts processes that end with this one: by `stop`, and by a leash when this one is killed."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[tuple[str, subprocess.Popen[str]]] = []
        self._files = ExitStack()
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Children:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for name, child in reversed(self._running):
            _stop(name, child)
        self._files.close()

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Starts `python COMMAND…` on a leash, its output going to the log."""
        self._popen(name, ["-m", "demo.leash", *command], env, subprocess.DEVNULL)

    def start_ready(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> dict[str, Any]:
        """Starts `python COMMAND…` and returns the JSON line that it prints when it is ready."""
        child = self._popen(name, ["-m", *command], env, subprocess.PIPE)
        line = child.stdout.readline() if child.stdout else ""
        if not line.startswith("{"):
            raise ChildFailed(f"{name} did not start; see {self._log(name)}")
        ready: dict[str, Any] = json.loads(line)
        return ready

    def all_alive(self) -> None:
        """Raises ChildFailed when one has ended."""
        for name, child in self._running:
            if child.poll() is not None:
                raise ChildFailed(f"{name} ended with {child.returncode}; see {self._log(name)}")

    def run(self, name: str, command: Sequence[str], env: Mapping[str, str], *, said: str = "") -> str:
        """Runs `python COMMAND…` to its end, with `said` as its input; returns what it printed. Raises ChildFailed."""
        with self._log(name).open("w") as log:
            done = subprocess.run(
                [sys.executable, *command],
                env=dict(env),
                input=said,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise ChildFailed(f"{name} failed; see {self._log(name)}\n{self._log(name).read_text()[-600:]}")
        return done.stdout

    def _popen(self, name: str, command: Sequence[str], env: Mapping[str, str], out: int) -> subprocess.Popen[str]:
        log = self._files.enter_context(self._log(name).open("w"))
        child = subprocess.Popen(
            [sys.executable, *command],
            env=dict(env),
            stdout=out if out == subprocess.PIPE else log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
            # Ctrl-C goes to the demo alone, which then stops its children in order.
            start_new_session=True,
        )
        self._running.append((name, child))
        return child

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


def _stop(name: str, child: subprocess.Popen[str]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"{name} did not stop in {_STOP_SECONDS} s and is killed.\n")
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def wait_until(what: str, is_so: Any, *, seconds: float = _START_SECONDS, every: float = 0.02) -> Any:
    """Polls until `is_so()` is true and returns its value. Raises TimeoutError naming what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        value = is_so()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)
