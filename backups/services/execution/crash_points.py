"""Places where a worker can be made to die, so that tests show what is left behind by a death exactly there.

CRASH_AT names the place, as `name` or, for one step only, as `name@step`. With CRASH_ONCE_FILE only the first process
that gets there dies: the file remembers it. Tests find the names by reading the source, so each call names its place
with a literal.
"""

from __future__ import annotations

import os
import signal


def crash_point(name: str, *, step: str = "") -> None:
    """Kills this process with SIGKILL when CRASH_AT names this place; does nothing otherwise."""
    wanted = os.environ.get("CRASH_AT")
    if not wanted or wanted not in {name, f"{name}@{step}"}:
        return
    once = os.environ.get("CRASH_ONCE_FILE")
    if once and not _is_first(once):
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _is_first(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True
