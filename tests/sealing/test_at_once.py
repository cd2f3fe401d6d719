"""Two sealers, sixteen writers and random rollbacks: each committed event is sealed, once, without a gap."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from backups.ledger.identifiers import utc_text, uuid7
from backups.ledger.verifier.merkle import EMPTY_ROOT, CompactRange
from backups.models import LedgerCheckpoint, LedgerEvent, SealerRefusal
from backups.services.ledger import record_event
from backups.services.sealing.memory import Memory
from tests.sealing.test_sealer import every_event_is_sealed_once
from tests.support.sealing import BOB, REQUEST, SealedPortal
from tests.support.worker import wait_until, worker_environment

WRITERS = 16


@contextmanager
def sealer_process(portal: SealedPortal, name: str) -> Iterator[subprocess.Popen[bytes]]:
    state = portal.directory / name
    # The second of two sealers gets its memory by hand; here both begin with an empty tree.
    Memory(state).write(CompactRange(), portal.signer.checkpoint(size=0, root=EMPTY_ROOT))
    env = worker_environment(portal.database) | {
        "LEDGER_DATABASE_URL": portal.database.sealer_url,
        "LEDGER_KEY": portal.signer.reveal(),
        "LEDGER_ORIGIN": portal.signer.name,
        "LEDGER_STATE_DIR": str(state),
        "LEDGER_ANCHOR_DIRS": str(portal.anchor.path),
        "LEDGER_SEAL_SECONDS": "0.05",
        "LOG_LEVEL": "WARNING",
    }
    log = (portal.directory / f"{name}.log").open("wb")
    command = [sys.executable, "manage.py", "run_sealer", "--skip-checks"]
    process = subprocess.Popen(
        command, cwd=settings.BASE_DIR, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def body_like(template: str, event_id: str, recorded_at: str, old_id: str, old_time: str) -> str:
    return template.replace(old_id, event_id).replace(old_time, recorded_at)


def write_for(portal: SealedPortal, seconds: float, seed: int, counted: list[int]) -> None:
    """Transactions of up to 30 ms, of which one in twenty is rolled back."""
    chance = random.Random(seed)
    with transaction.atomic():
        model = record_event(type="request.commented", actor=BOB, target=REQUEST)
        old = (str(model.pk), model.body, utc_text(model.recorded_at))
        transaction.set_rollback(True)
    connection.close()
    ends_at = time.monotonic() + seconds
    with psycopg.connect(portal.database.url) as web:
        while time.monotonic() < ends_at:
            row = web.execute("SELECT clock_timestamp()").fetchone()
            assert row
            event_id = str(uuid7(row[0]))
            body = body_like(old[1], event_id, utc_text(row[0]), old[0], old[2])
            web.execute(
                "INSERT INTO backups_ledgerevent (id, body, actor_name) VALUES (%s, %s, 'bob')", [event_id, body]
            )
            time.sleep(chance.random() * 0.03)
            if chance.random() < 0.05:
                web.rollback()
            else:
                web.commit()
                counted.append(1)


def write_and_seal(portal: SealedPortal, *, seconds: float) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    sys.stdout.write(f"seed {seed}\n")
    counted: list[int] = []
    writers = [
        threading.Thread(target=write_for, args=(portal, seconds, seed + number, counted)) for number in range(WRITERS)
    ]
    with ExitStack() as running:
        for name in ("one", "two"):
            running.enter_context(sealer_process(portal, name))
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        wait_until(_all_sealed, "every event is sealed")
    assert every_event_is_sealed_once() == len(counted) == LedgerEvent.objects.count()
    assert len(counted) > WRITERS
    assert list(SealerRefusal.objects.values_list("code", "sentence")) == []
    assert not [log for log in portal.directory.glob("*.log") if b"ERROR" in log.read_bytes()]


def _all_sealed() -> bool:
    newest = LedgerCheckpoint.objects.last()
    return bool(newest) and newest.size == LedgerEvent.objects.count()


def test_two_sealers_and_sixteen_writers(portal: SealedPortal):
    write_and_seal(portal, seconds=1.5)


@pytest.mark.soak
def test_two_sealers_and_sixteen_writers_for_a_minute(portal: SealedPortal):
    write_and_seal(portal, seconds=60)
