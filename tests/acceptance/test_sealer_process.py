"""A real run_worker with a real sealer: who holds the key, and what a kill leaves behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from backups.models import AnchorReceipt, LedgerCheckpoint, LedgerEvent, SealerHeartbeat
from backups.services.sealing.keys import make_missing_key
from tests.ledger.sample_log import ORIGIN
from tests.support.database import OwnDatabase
from tests.support.sealing import comment
from tests.support.worker import running_worker, wait_until

pytestmark = pytest.mark.acceptance


def sealed_all() -> bool:
    newest = LedgerCheckpoint.objects.last()
    return bool(newest and newest.size == LedgerEvent.objects.count())


def sealer_of(pid: int) -> psutil.Process | None:
    children = psutil.Process(pid).children()
    return next((child for child in children if "run_sealer" in child.cmdline()), None)


def test_the_sealer_alone_holds_the_key_and_is_replaced_when_it_is_killed(
    own_database: OwnDatabase, tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch
):
    key = tmp_path / "ledger.key"
    settings.LEDGER_ORIGIN = ORIGIN
    settings.LEDGER_STATE_DIR = tmp_path / "state"
    monkeypatch.setenv("LEDGER_KEY_FILE", str(key))
    make_missing_key()
    (tmp_path / "anchors").mkdir()
    sealing = {
        "LEDGER_ORIGIN": ORIGIN,
        "LEDGER_KEY": key.read_text().strip(),
        "LEDGER_DATABASE_URL": own_database.sealer_url,
        "LEDGER_STATE_DIR": str(tmp_path / "state"),
        "LEDGER_ANCHOR_DIRS": str(tmp_path / "anchors"),
        "LEDGER_SEAL_SECONDS": "0.1",
    }
    comment()
    with running_worker(own_database, tmp_path, **sealing) as worker:
        wait_until(lambda: sealed_all() and AnchorReceipt.objects.exists(), "the event is sealed and anchored")
        first = sealer_of(worker.process.pid)
        assert "LEDGER_KEY" in first.environ()
        others = [each for each in worker.everything() if each.pid not in {first.pid, worker.process.pid}]
        assert others
        for each in others:
            assert not {"LEDGER_KEY", "LEDGER_DATABASE_URL"} & each.environ().keys()
        os.kill(first.pid, signal.SIGKILL)
        comment()
        wait_until(sealed_all, "another sealer has sealed the next event")
        assert sealer_of(worker.process.pid).pid != first.pid
        wait_until(lambda: SealerHeartbeat.objects.count() == 2, "the other one has told that it lives")
        worker.process.terminate()
        worker.process.wait(20)
        worker.wait_until_nothing_runs()
