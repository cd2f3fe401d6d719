"""The synthetic database and its clients."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from backups.verification import CheckContext, Dsn
from demo import seed
from demo.traffic import Traffic
from tests.verification.story import not_passed, verify
from tests.verification.timeline import PASSWORD, Timeline

END = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(new_timeline: Callable[..., Timeline]) -> Timeline:
    return new_timeline()


def _database(server: Timeline, name: str) -> str:
    server.main.execute(f"CREATE DATABASE {name}")
    return server.main.cluster.dsn(name, password=PASSWORD)


def _each_table(dsn: str, what: str) -> dict[str, Any]:
    with psycopg.connect(dsn) as connection:
        found = {t: connection.execute(f"SELECT {what.format(t)} FROM {t}").fetchall() for t in seed.ROWS}  # noqa: S608
    return {table: rows[0][0] for table, rows in found.items()}


def test_full_size_is_about_a_hundred_thousand_sound_rows(server: Timeline) -> None:
    dsn = _database(server, "whole")
    rows = seed.load(dsn, end=END)
    assert 95_000 < sum(rows.values()) < 105_000
    assert _each_table(dsn, "count(*)") == rows
    assert set(_each_table(dsn, "max(created_at)").values()) == {END}
    assert not_passed(verify(CheckContext(branch=Dsn(dsn)))) == {}


def test_two_loads_are_equal(server: Timeline) -> None:
    one, other = _database(server, "one"), _database(server, "other")
    for dsn in (one, other):
        seed.load(dsn, scale=0.02, end=END)
    content = "md5(string_agg({}::text, ',' ORDER BY id))"
    assert _each_table(one, content) == _each_table(other, content)


def test_every_confirmed_write_is_there(server: Timeline) -> None:
    with Traffic(server.main.dsn, rate_per_second=None) as clients:
        clients.wait_for(200)
    inserted = {
        done.id for done in clients.record.acknowledged if done.action == "insert" and done.table == "appointments"
    }
    present = {row[0] for row in server.main.execute("SELECT id FROM appointments")}
    assert inserted
    assert inserted <= present
    assert {done.action for done in clients.record.acknowledged} == {"insert", "update", "delete"}
    assert clients.record.outages == []


def test_client_is_back_after_a_cut_and_knows_how_long_it_took(server: Timeline) -> None:
    with Traffic(server.main.dsn, rate_per_second=None) as clients:
        clients.wait_for(20)
        server.main.cluster.stop()
        server.start(server.main)
        clients.wait_for(20)
    assert len(clients.record.outages) == 1
    assert clients.record.outages[0].seconds > 0


def test_as_a_process_it_writes_a_journal_and_ends_on_a_signal(server: Timeline, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "demo.traffic", "--dsn", server.main.dsn, "--rate", "0", "--journal", str(journal)],
        cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}, text=True,
    )  # fmt: skip
    try:
        while not journal.exists() or journal.read_text().count("\n") < 10:
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert json.loads(output)["acknowledged"] == len(lines)
    assert lines[0].keys() == {"action", "table", "id", "row_at", "acknowledged_at"}
