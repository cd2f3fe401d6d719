"""The sandbox as a program of its own, so that it can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from neon_sandbox import processes

ROOT = Path(__file__).resolve().parents[2]


class Program:
    """A started `python -m neon_sandbox ...` and the line that it announced itself with."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "neon_sandbox", *arguments]
        if arguments[0] == "serve":
            command.append("--no-rate-limits")  # tests ask far more often than a client may
        environment = {name: value for name, value in os.environ.items() if name != "NEON_API_KEY"}
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=environment)
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"{' '.join(arguments)} ended with {self.process.wait()}"
        self.ready: dict[str, Any] = json.loads(line)

    def http(self) -> httpx.Client:
        key = Path(self.ready["api_key_file"]).read_text()
        return httpx.Client(
            base_url=f"{self.ready['url']}/projects/{self.ready['project_id']}",
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            verify=False,  # noqa: S501 - nothing here speaks TLS
        )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        if self.process.stdout:
            self.process.stdout.close()
        return code


def processes_about(path: Path) -> list[int]:
    """Processes that have the path on their command line."""
    if Path("/proc/self").exists():
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    else:
        listed = subprocess.run(["/bin/ps", "-axo", "pid="], capture_output=True, text=True, check=True)
        pids = [int(pid) for pid in listed.stdout.split()]
    return [pid for pid in pids if pid != os.getpid() and str(path) in processes.command_line(pid)]


def wait_until(true: Callable[[], object], what: str, *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.005)
