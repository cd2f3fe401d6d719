"""Sealing, verifying and proving. In a process of its own, because it needs Django and a database."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

WRITERS = 16
WRITE_SECONDS = 5.0
STORED = int(os.environ.get("BENCH_EVENTS", "1000000"))
PROOFS = 200
ORIGIN = "bench.example/log"

# In place of the triggers and indexes that only writers and pages need.
_FILL = """
SET session_replication_role = replica;
INSERT INTO backups_ledgerevent (id, actor_name, body)
SELECT made.id, 'bob', format({pattern}, made.id, made.at) FROM (
    SELECT gen_random_uuid() AS id,
           to_char((now() AT TIME ZONE 'UTC') - number * interval '1 ms', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
      FROM generate_series(1, {count}) AS number) made
"""
_INDEXES = (
    "ledger_members ledger_by_type ledger_by_actor ledger_by_world ledger_by_failure ledger_by_target ledger_by_run "
    "ledger_by_web_request"
)


def figures() -> list[dict[str, Any]]:
    """Measured by `python -m tests.bench.ledger_bench`."""
    command = [sys.executable, "-m", "tests.bench.ledger_bench"]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=1800, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _measure() -> list[dict[str, Any]]:
    from neon_sandbox.testing import running_postgres

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    with running_postgres("portal") as server, tempfile.TemporaryDirectory(prefix="bench-ledger-") as directory:
        url = server.url("portal")
        _set_up(url, Path(directory))
        bare = _inserted_a_second(url)
        sealed = _sealed_a_second(url, Path(directory))
        generated = _seconds(lambda: _fill(url))
        loop = _loop(Path(directory))
        filled = _seconds(loop.work)
        return [
            _figure(
                "sealed events a second, 16 writers",
                sealed,
                "1/s",
                f"inserted without a sealer: {bare:.0f}/s",
                2000,
                ratio=sealed / bare,
            ),
            _figure(
                f"{STORED} stored events sealed",
                filled,
                "s",
                f"generated in the database: {generated:.1f} s",
                120 * STORED / 1e6,
                ratio=filled / generated,
            ),
            _verified(url, Path(directory)),
            _proven(url),
        ]


def _set_up(url: str, directory: Path) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from tests.support.database import point_django_at

    settings.LEDGER_ORIGIN = ORIGIN
    settings.LEDGER_STATE_DIR = directory / "state"
    (directory / "anchors").mkdir()
    point_django_at(url)
    call_command("migrate", verbosity=0)


def _loop(directory: Path) -> Any:
    from backups.ledger.signer import Signer
    from backups.services.sealing.anchors import DirectoryAnchor
    from backups.services.sealing.keys import KeyRing, remember_key
    from backups.services.sealing.loop import SealerLoop
    from backups.services.sealing.memory import Memory
    from backups.services.sealing.sealer import Sealer
    from tests.ledger.sample_log import SIGNER

    signer = Signer(ORIGIN, SIGNER.seed)
    anchor = DirectoryAnchor(directory / "anchors", gates=True)
    keys = KeyRing(signer=signer, file=None, known=remember_key(signer.verifier_key))
    sealer = Sealer(keys=keys, memory=Memory(directory / "state"), anchors=[anchor])
    sealer.begin()
    return SealerLoop(sealer)


def _template() -> tuple[str, str, str]:
    """The bytes of an event, and what stands in it for its id and its times."""
    from backups.ledger.identifiers import utc_text
    from tests.ledger.sample_log import BEGAN, event

    body = event(0).decode()
    return body, json.loads(body)["id"], utc_text(BEGAN)


def _write(url: str, ends_at: float, counts: list[int]) -> None:
    from backups.ledger.identifiers import utc_text, uuid7

    body, old_id, old_time = _template()
    count = 0
    with psycopg.connect(url, autocommit=True) as web:
        while time.monotonic() < ends_at:
            at = dt.datetime.now(dt.UTC)
            event_id = str(uuid7(at))
            fresh = body.replace(old_id, event_id).replace(old_time, utc_text(at))
            web.execute(
                "INSERT INTO backups_ledgerevent (id, body, actor_name) VALUES (%s, %s, 'bob')", [event_id, fresh]
            )
            count += 1
    counts.append(count)


def _inserted_a_second(url: str) -> float:
    counts: list[int] = []
    ends_at = time.monotonic() + WRITE_SECONDS
    writers = [threading.Thread(target=_write, args=(url, ends_at, counts)) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return sum(counts) / WRITE_SECONDS


def _sealed_a_second(url: str, directory: Path) -> float:
    loop = _loop(directory)
    loop.work()  # what the first figure left
    began, counts = time.monotonic(), list[int]()
    writers = [threading.Thread(target=_write, args=(url, began + WRITE_SECONDS, counts)) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        loop.work()
    loop.work()
    return sum(counts) / (time.monotonic() - began)


def _fill(url: str) -> None:
    body, old_id, old_time = _template()
    pattern = body.replace("%", "%%").replace(old_id, "%1$s").replace(old_time, "%2$s")
    with psycopg.connect(url, autocommit=True) as owner:
        for name in _INDEXES.split():
            owner.execute(sql.SQL("DROP INDEX IF EXISTS {}").format(sql.Identifier(name)))
        fill = sql.SQL(_FILL).format(pattern=sql.Literal(pattern), count=sql.Literal(STORED))
        owner.execute(fill)
        owner.execute("ANALYZE backups_ledgerevent")


def _verified(url: str, directory: Path) -> dict[str, Any]:
    from backups.domain.people import command_actor
    from backups.ledger.signer import Signer
    from backups.services.sealing.verify import verify_database
    from tests.ledger.sample_log import SIGNER

    key = Signer(ORIGIN, SIGNER.seed).verifier_key
    began = time.monotonic()
    report = verify_database(keys=[key], anchor_directories=[directory / "anchors"], actor=command_actor("bench"))
    seconds = time.monotonic() - began
    # The generated events are older than the anchors before them, which is what the verifier is there to see.
    events = max(report.entries, 1)
    bare = _seconds(lambda: _hashed(url))
    against = f"the same events read and hashed, and nothing else: {bare:.2f} s"
    name = f"{events} stored events verified: hash, tree, signatures"
    return _figure(name, seconds, "s", against, 20 * events / 1e6, ratio=seconds / bare)


def _hashed(url: str) -> None:
    with psycopg.connect(url) as web, web.cursor("bodies") as cursor:
        cursor.itersize = 20_000
        cursor.execute("SELECT body FROM backups_ledgerevent")
        for (body,) in cursor:
            hashlib.sha256(b"\x00" + body.encode()).digest()


def _proven(url: str) -> dict[str, Any]:
    from backups.models import LedgerLeaf
    from backups.services.sealing.proof import proof_of

    ids = list(LedgerLeaf.objects.order_by("hash").values_list("event_id", flat=True)[:PROOFS])
    proof_of(ids[0])
    proven = _p95([_seconds(lambda event_id=event_id: proof_of(event_id)) for event_id in ids])
    with psycopg.connect(url, autocommit=True) as web:
        read = "SELECT body FROM backups_ledgerevent WHERE id = %s"
        bare = _p95([_seconds(lambda event_id=event_id: web.execute(read, [event_id]).fetchone()) for event_id in ids])
    against = f"its event read by its key: {bare:.4f} s"
    return _figure("proof of one event (p95)", proven, "s", against, 0.01, ratio=proven / bare)


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95) - 1]


def _seconds(act: Any) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _figure(name: str, value: float, unit: str, against: str, goal: float, *, ratio: float) -> dict[str, Any]:
    met = value >= goal if unit.endswith("/s") else value <= goal
    return {
        "bench": f"ledger: {name}",
        "value": round(value, 4),
        "unit": unit,
        "against": against,
        "ratio": round(ratio, 2),
        "goal": goal,
        "met": met,
    }


if __name__ == "__main__":
    for one in _measure():
        sys.stdout.write(json.dumps(one) + "\n")
