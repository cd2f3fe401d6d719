"""Whether a directory lies where whoever owns this host can change it."""

from __future__ import annotations

import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")


def lies_on_this_host(path: Path, *, mounts: Path = _MOUNTS) -> bool:
    """On the file system of the programs, or on another one of a disk of this host (Linux tells). False: elsewhere, or
    it cannot be seen."""
    try:
        device = path.stat().st_dev
        return device == Path("/").stat().st_dev or _source(device, mounts).startswith("/dev/")
    except OSError:
        return False


def _source(device: int, mounts: Path) -> str:
    """What is mounted there, as proc(5) describes it: `…major:minor … - type source options`."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    if not mounts.exists():
        return ""
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) > 2 and fields[2] == wanted and len(kinds) > 1:
            return kinds[1]
    return ""
