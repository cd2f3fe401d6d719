"""Looking at processes by id, also those that an earlier, killed sandbox left behind."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

POLL_SECONDS = 0.004


def command_line(pid: int) -> str:
    """The process's arguments, or '' when there is no such process (or only its unreaped rest)."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    done = subprocess.run(["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True)
    return done.stdout.strip()


def send(pid: int, signal_number: int) -> bool:
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pid: int, expected_in_command: str, timeout_seconds: float) -> bool:
    """Waits for a process that need not be our child. True when it is gone."""
    deadline = time.monotonic() + timeout_seconds
    while expected_in_command in command_line(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
