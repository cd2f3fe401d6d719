"""How many events a second 16 writers get written and sealed, as the portal writes them.

The writers are what the web unit of docs/deploy is: two processes with eight threads each. They write by
`record_event`, two events in a transaction, as acts do: the last vote writes two (voted, approved) or, where the start
follows at once, three. Beside it stands the most that an event can cost, a transaction of its own. The sealer is a
process beside them that works as often as it does by itself; all share the machine's processors.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.ledger_filling import Portal, connect_django, portal_database, sealer_loop

MODULE = "tests.bench.ledger_bench"
PROCESSES, THREADS = 2, 8
WARM_SECONDS = 4.0
WRITE_SECONDS = 5.0
#: As the sealer itself waits between two rounds that nobody asks for: LEDGER_SEAL_SECONDS.
PAUSE_SECONDS = 1.0
GOAL = 2000


def figures() -> list[dict[str, Any]]:
    """Measured by a process that may have Django for itself."""
    done = subprocess.run([sys.executable, "-m", MODULE], stdout=subprocess.PIPE, timeout=600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _measure() -> list[dict[str, Any]]:
    with portal_database() as portal:
        bare = _rate(portal, "bare")
        unsealed = _rate(portal, "acts")
        loop = sealer_loop(portal)
        loop.work()  # what the first figures left
        sealed = _rate(portal, "acts", loop.work)
        single = _rate(portal, "singles", loop.work)
    return [
        {
            "bench": "ledger: events a second that 16 writers record, two in a transaction, each sealed at the end",
            "value": round(sealed, 1),
            "unit": "1/s",
            "against": f"without a sealer: {unsealed:.0f}/s; one in a transaction, sealed: {single:.0f}/s; "
            f"bare INSERTs of ready bytes, one in a transaction, no sealer: {bare:.0f}/s",
            "ratio": round(sealed / unsealed, 2),
            "goal": GOAL,
            "met": sealed >= GOAL,
        }
    ]


def _rate(portal: Portal, how: str, meanwhile: Callable[[], object] | None = None) -> float:
    """Events a second: until the last is written, or with `meanwhile` until that is through with the last."""
    written, seconds = _written(portal, how, meanwhile or (lambda: None))
    return written / (seconds if meanwhile else WRITE_SECONDS)


def _written(portal: Portal, how: str, meanwhile: Callable[[], object]) -> tuple[int, float]:
    """How many events, and the seconds until `meanwhile`, begun anew as long as they write, is through."""
    begins_at = time.monotonic() + WARM_SECONDS
    command = [sys.executable, "-m", MODULE, how, portal.url, str(portal.directory), str(begins_at)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    time.sleep(max(0.0, begins_at - time.monotonic()))
    for writer in writers:
        while writer.poll() is None:
            meanwhile()
            with suppress(subprocess.TimeoutExpired):
                writer.wait(PAUSE_SECONDS)
    meanwhile()
    seconds = time.monotonic() - begins_at
    return sum(int(writer.communicate()[0]) for writer in writers), seconds


def _write(how: str, portal: Portal, begins_at: float) -> int:
    """One process of writers; returns how many events it wrote."""
    counts: list[int] = []
    acts: dict[str, Callable[..., None]] = {
        "bare": _insert,
        "acts": partial(_record, events=2),
        "singles": partial(_record, events=1),
    }
    connect_django(portal)
    threads = [threading.Thread(target=acts[how], args=(portal, begins_at, counts)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def _record(portal: Portal, begins_at: float, counts: list[int], *, events: int) -> None:
    from django.db import connection, transaction

    from backups.domain.ledger import Target
    from backups.services.ledger import record_event
    from tests.ledger.sample_log import BOB

    def act() -> None:
        with transaction.atomic():
            for _ in range(events):
                record_event(type="request.commented", actor=BOB, target=about, sandbox=False)

    about = Target(kind="restore_request", id="R-0007")
    act()
    counts.append(events * _repeated(act, begins_at))
    connection.close()


def _insert(portal: Portal, begins_at: float, counts: list[int]) -> None:
    from backups.ledger.identifiers import utc_text, uuid7
    from tests.ledger.sample_log import BEGAN, event

    body = event(0).decode()
    old_id, old_time = json.loads(body)["id"], utc_text(BEGAN)
    with psycopg.connect(portal.url, autocommit=True) as web:

        def one() -> None:
            at = dt.datetime.now(dt.UTC)
            event_id = str(uuid7(at))
            fresh = body.replace(old_id, event_id).replace(old_time, utc_text(at))
            statement = "INSERT INTO backups_ledgerevent (id, body, actor_name) VALUES (%s, %s, 'bob')"
            web.execute(statement, [event_id, fresh])

        one()
        counts.append(_repeated(one, begins_at))


def _repeated(act: Callable[[], object], begins_at: float) -> int:
    count = 0
    time.sleep(max(0.0, begins_at - time.monotonic()))
    while time.monotonic() < begins_at + WRITE_SECONDS:
        act()
        count += 1
    return count


if __name__ == "__main__":
    if len(sys.argv) > 1:
        how, url, directory, begins_at = sys.argv[1:]
        sys.stdout.write(str(_write(how, Portal(url, Path(directory)), float(begins_at))))
        sys.stdout.flush()
        os._exit(0)  # the time that Python takes to end is nobody's
    else:
        for one in _measure():
            sys.stdout.write(json.dumps(one) + "\n")
