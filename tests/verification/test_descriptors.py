"""A worker lives for weeks: what a snapshot opens it closes, also when it is cut or broken off."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from backups.verification import Dsn
from backups.verification import connection as connection_module
from backups.verification.connection import Budget, open_snapshot
from backups.verification.errors import DatabaseUnreachable
from neon_sandbox.testing import running_postgres


@pytest.fixture(scope="module")
def dsn() -> Iterator[Dsn]:
    with running_postgres("looked_at") as server:
        yield Dsn(server.url("looked_at"))


def open_descriptors() -> int:
    gc.collect()  # what earlier tests left to the collector must not be counted on either side
    return len(os.listdir("/proc/self/fd"))


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux tells open descriptors")


@needs_proc
def test_a_snapshot_leaves_no_descriptor(dsn: Dsn) -> None:
    before = open_descriptors()
    for _ in range(3):
        with open_snapshot(dsn, Budget(5)) as snapshot:
            assert snapshot.value("SELECT 1") == 1
        with pytest.raises(RuntimeError), open_snapshot(dsn, Budget(5)):
            raise RuntimeError
    assert open_descriptors() == before


@needs_proc
def test_one_that_was_cut_leaves_none_either(dsn: Dsn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "GRACE_SECONDS", -4.8)
    before = open_descriptors()
    with pytest.raises(DatabaseUnreachable), open_snapshot(dsn, Budget(5)) as snapshot:
        snapshot.value("SELECT pg_sleep(4)")
    assert open_descriptors() == before
