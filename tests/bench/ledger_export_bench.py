"""What an export of the whole log costs in memory and time, in each format, beside a bare COPY of the same rows.

Part of ledger_stored_bench. Each is made by a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.ledger_filling import Portal, connect_django

MODULE = "tests.bench.ledger_export_bench"
FORMATS = ("csv", "ocsf", "log")
MOST_MEGABYTES = 200.0
_COPY = "COPY (SELECT id, actor_name, body FROM backups_ledgerevent ORDER BY recorded_at, id) TO STDOUT (FORMAT csv)"


def figures(portal: Portal) -> Iterator[dict[str, Any]]:
    """One for each form."""
    copied = _in_a_process("copy", portal)
    for name in FORMATS:
        yield _figure(name, _in_a_process(name, portal), copied)


def _in_a_process(what: str, portal: Portal) -> dict[str, Any]:
    command = [sys.executable, "-m", MODULE, what, portal.url, str(portal.directory)]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=1800, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _figure(name: str, made: dict[str, Any], copied: dict[str, Any]) -> dict[str, Any]:
    return {
        "bench": f"ledger: memory that the export of {made['events']} events as {name} adds",
        "value": round(made["megabytes"], 1),
        "unit": "MB",
        "against": f"{made['seconds']:.1f} s, {made['bytes'] / 1e6:.0f} MB; a bare COPY of the rows: "
        f"{copied['megabytes']:.1f} MB, {copied['seconds']:.1f} s, {copied['bytes'] / 1e6:.0f} MB",
        "ratio": round(made["seconds"] / copied["seconds"], 2),
        "goal": MOST_MEGABYTES,
        "met": made["megabytes"] <= MOST_MEGABYTES,
    }


def _one(what: str, portal: Portal) -> dict[str, Any]:
    if what == "copy":
        return _measured(lambda: _copied(portal.url, portal.directory / "copied.csv"))
    connect_django(portal)
    export = _asked_for(what)
    return _measured(lambda: _exported(export))


def _measured(act: Callable[[], tuple[int, Path]]) -> dict[str, Any]:
    # Linux: from here on the peak is counted anew. `ru_maxrss` would be inherited from the process that started this.
    Path("/proc/self/clear_refs").write_text("5")
    before, began = _megabytes("VmRSS"), time.monotonic()
    events, path = act()
    seconds = time.monotonic() - began
    return {
        "events": events, "seconds": seconds, "megabytes": _megabytes("VmHWM") - before, "bytes": path.stat().st_size,
    }  # fmt: skip


def _megabytes(name: str) -> float:
    """VmRSS: resident now; VmHWM: the most there ever was (proc_pid_status(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return float(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 1024


def _copied(url: str, path: Path) -> tuple[int, Path]:
    with psycopg.connect(url) as connection, connection.cursor() as cursor, path.open("wb") as file:
        with cursor.copy(_COPY) as copy:
            for block in copy:
                file.write(block)
        return cursor.rowcount, path


def _asked_for(format: str) -> int:
    """Everything but the sandbox's events, which there are none of."""
    from django.contrib.auth.models import User

    from backups.models import LedgerExport
    from backups.selectors.clock import database_now

    person, _ = User.objects.get_or_create(username="bench")
    export = LedgerExport.objects.create(
        format=format, scope={"with_sandbox": False}, person=person, person_name="bench", asked_at=database_now()
    )
    return export.pk


def _exported(export_id: int) -> tuple[int, Path]:
    """As the worker does it."""
    from backups.models import LedgerExport
    from backups.services.export.files import path_of
    from backups.services.export.write import write_due_exports

    write_due_exports()
    export = LedgerExport.objects.get(pk=export_id)
    if export.state != "ready":
        raise AssertionError(export.problem)
    return export.events, path_of(export)


if __name__ == "__main__":
    what, url, directory = sys.argv[1:]
    sys.stdout.write(json.dumps(_one(what, Portal(url, Path(directory)))))
