"""A worker lives for weeks: what a snapshot opens it closes, also when it is cut or broken off.

Counted in a process of its own, because threads and fixtures of other tests open and close descriptors as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from neon_sandbox.testing import running_postgres

_COUNT = """
import os, sys
from backups.verification import Dsn, connection
from backups.verification.connection import Budget, open_snapshot
from backups.verification.errors import DatabaseUnreachable

dsn = Dsn(sys.stdin.read())

def taken_normally():
    with open_snapshot(dsn, Budget(5)) as snapshot:
        assert snapshot.value("SELECT 1") == 1

def broken_off():
    try:
        with open_snapshot(dsn, Budget(5)):
            raise RuntimeError
    except RuntimeError:
        pass

def cut():
    connection.GRACE_SECONDS = -4.8
    try:
        with open_snapshot(dsn, Budget(5)) as snapshot:
            snapshot.value("SELECT pg_sleep(4)")
    except DatabaseUnreachable:
        return
    raise AssertionError("it was not cut")

act = {"normally": taken_normally, "broken off": broken_off, "cut": cut}[sys.argv[1]]
taken_normally()  # whatever is opened once and for all
before = len(os.listdir("/proc/self/fd"))
for _ in range(3):
    act()
print(len(os.listdir("/proc/self/fd")) - before)
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running_postgres("looked_at") as server:
        yield server.url("looked_at")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux tells open descriptors")
@pytest.mark.parametrize("how", ["normally", "broken off", "cut"])
def test_a_snapshot_leaves_no_descriptor(address: str, how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, how], input=address, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 0
