"""What an export of the whole log costs in memory and time, in each format, beside a bare COPY of the same rows.

Each is made by a process of its own. `python -m tests.bench.ledger_export_bench`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.ledger_filling import filled_log

MODULE = "tests.bench.ledger_export_bench"
FORMATS = ("csv", "ocsf", "log")
MOST_MEGABYTES = 200.0
_COPY = "COPY (SELECT id, actor_name, body FROM backups_ledgerevent ORDER BY recorded_at, id) TO STDOUT (FORMAT csv)"


def figures() -> list[dict[str, Any]]:
    """Measured by a process that may have Django for itself."""
    done = subprocess.run([sys.executable, "-m", MODULE], stdout=subprocess.PIPE, timeout=3600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _measure() -> list[dict[str, Any]]:
    with filled_log() as log:
        copied = _in_a_process("copy", log.url, log.directory)
        return [_figure(name, _in_a_process(name, log.url, log.directory), copied) for name in FORMATS]


def _in_a_process(what: str, url: str, directory: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", MODULE, what, url, str(directory)]
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


def _one(what: str, url: str, directory: Path) -> dict[str, Any]:
    if what == "copy":
        return _measured(lambda: _copied(url, directory / "copied.csv"))
    _set_up(url, directory)
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


def _set_up(url: str, directory: Path) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.conf import settings

    from tests.bench.ledger_bench import ORIGIN
    from tests.support.database import point_django_at

    settings.LEDGER_ORIGIN = ORIGIN
    settings.LEDGER_EXPORT_DIR = directory / "exports"
    point_django_at(url)


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
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(_one(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
    else:
        for one in _measure():
            sys.stdout.write(json.dumps(one) + "\n")
