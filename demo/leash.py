"""python -m demo.leash ARGUMENTS…: runs `python ARGUMENTS…` and ends it when our own parent is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from neon_sandbox.ownership import when_parent_dies


def main() -> int:
    """Forwards SIGTERM and SIGINT, and the death of the parent as SIGTERM; returns the child's exit status."""
    # In the same process group: whoever kills the group kills both.
    child = subprocess.Popen([sys.executable, *sys.argv[1:]])
    ended = threading.Event()

    def stop(*_: object) -> None:
        if not ended.is_set():
            child.send_signal(signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    when_parent_dies(lambda: os.kill(os.getpid(), signal.SIGTERM))
    status = child.wait()
    ended.set()
    return abs(status)


if __name__ == "__main__":
    sys.exit(main())
