"""One log-in for many checks, and never a dead or a foreign connection."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest

from backups.domain.execution import CheckOutcome
from backups.verification import Dsn
from backups.verification.connection import Budget, open_snapshot
from backups.verification.drill import PlannedCheck, kept_connections, run_check
from backups.verification.errors import NotReadable
from tests.verification.drill.databases import Sides

PID = "SELECT pg_backend_pid()"


def pid(sides: Sides, database: str) -> int:
    with open_snapshot(Dsn(sides.server.url(database)), Budget(5)) as snapshot:
        return int(snapshot.value(PID))


def test_a_connection_is_used_again_within_and_closed_afterwards(shared: Sides) -> None:
    assert pid(shared, shared.copy) != pid(shared, shared.copy)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    with kept_connections():
        first = pid(shared, shared.copy)
        assert pid(shared, shared.copy) == first
        assert pid(shared, shared.source) != first
    assert pid(shared, shared.copy) != first
    assert (len(os.listdir("/proc/self/fd")) if before else 0) == before


def test_each_snapshot_sees_what_was_written_before_it_and_none_of_the_settings_before(sides: Sides) -> None:
    dsn = Dsn(sides.server.url(sides.copy))
    with kept_connections():
        with open_snapshot(dsn, Budget(5), serves_nobody=True) as snapshot:
            assert snapshot.value("SHOW work_mem") == "32MB"
            with pytest.raises(NotReadable):
                snapshot.rows("SELECT 1/0")
        sides.on_copy("DELETE FROM tags")
        with open_snapshot(dsn, Budget(5)) as snapshot:
            assert snapshot.value("SELECT count(*) FROM public.tags") == 0
            assert snapshot.value("SHOW work_mem") == "4MB"


def test_one_that_was_cut_meanwhile_is_replaced(sides: Sides) -> None:
    with kept_connections():
        first = pid(sides, sides.copy)
        with psycopg.connect(sides.server.url("postgres"), autocommit=True) as administrator:
            administrator.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        assert pid(sides, sides.copy) != first


def test_checks_find_the_same(sides: Sides) -> None:
    sides.on_copy("DROP TABLE tags")
    planned = PlannedCheck("tables_present", "", "carecircle", "", True)
    with kept_connections():
        verdicts = [run_check(planned, sides.target()) for _ in range(2)]
    assert {verdict.outcome for verdict in verdicts} == {CheckOutcome.FAILED}
