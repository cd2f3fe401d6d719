"""kill -9 at the worst moments: nothing hangs, nothing leaks, nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from neon_sandbox import processes
from neon_sandbox.ownership import owned
from neon_sandbox.plain import running_plain_postgres
from neon_sandbox.testing import temporary_state_dir
from tests.sandbox.programs import ROOT, Program, processes_about, wait_until
from tests.sandbox.real import quiet_moment

pytestmark = pytest.mark.acceptance


@pytest.fixture
def state() -> Iterator[Path]:
    """With a space in it, as the directory of a checkout may have."""
    with temporary_state_dir() as directory:
        yield directory / "the state"


def in_the_middle_of_the_copy(http: httpx.Client, nodes: Path) -> None:
    before = len(list(nodes.iterdir()))
    wait_until(lambda: len(list(nodes.iterdir())) > before, "a new node")


def between_the_operations(http: httpx.Client, nodes: Path) -> None:
    wait_until(lambda: _statuses(http) == ["running", "finished"], "the second operation")


@pytest.mark.parametrize("moment", [in_the_middle_of_the_copy, between_the_operations])
def test_killed_in_mid_restore(state: Path, moment: Callable[[httpx.Client, Path], None]) -> None:
    program = Program("serve", "--state", str(state), "--operation-seconds", "1")
    uri, main = program.ready["connection_uri"], program.ready["branch_id"]
    nodes = state / "nodes"
    _execute(uri, "create table entry (id int)", "insert into entry values (1)")
    point = quiet_moment()
    _execute(uri, "insert into entry values (2)")
    with program.http() as http:
        body = {"source_branch_id": main, "source_timestamp": point, "preserve_under_name": "main_old"}
        http.post(f"/branches/{main}/restore", json=body).raise_for_status()
        moment(http, nodes)
    program.kill()
    wait_until(lambda: not processes_about(state), "everything has ended")

    again = Program("serve", "--state", str(state), "--operation-seconds", "0")
    try:
        with again.http() as http:
            wait_until(lambda: _statuses(http) == ["finished", "finished"], "the restore is done again")
            branches = {branch["name"]: branch for branch in http.get("/branches").json()["branches"]}
        assert again.ready["connection_uri"] == uri
        assert _ids(uri) == [1]
        assert {branch["current_state"] for branch in branches.values()} == {"ready"}
        assert set(branches) == {"main", "main_old"}
        assert len(list(nodes.iterdir())) == 2
    finally:
        assert again.stop() == 0
    assert not processes_about(state)


def test_killed_together_with_its_warden(state: Path) -> None:
    program = Program("serve", "--state", str(state))
    uri = program.ready["connection_uri"]
    _execute(uri, "create table entry (id int)", "insert into entry values (1)")
    (warden,) = (pid for pid in processes_about(state) if "_warden" in processes.command_line(pid))
    os.kill(warden, signal.SIGKILL)
    program.kill()
    assert processes_about(state), "PostgreSQL is left without an owner"
    again = Program("serve", "--state", str(state))
    try:
        assert _ids(again.ready["connection_uri"]) == [1]
    finally:
        again.stop()
    wait_until(lambda: not processes_about(state), "everything has ended")


@pytest.mark.parametrize("command", ["serve", "postgres"])
def test_nothing_outlives_the_parent(state: Path, command: str) -> None:
    starter = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'neon_sandbox', *sys.argv[1:]])"
    arguments = [sys.executable, "-c", starter, command, "--state", str(state)]
    parent = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout
    with parent.stdout:
        assert parent.stdout.readline()
    parent.kill()
    parent.wait()
    wait_until(lambda: not processes_about(state), "everything has ended")


def test_the_plain_server_comes_back_with_its_address_and_data(state: Path) -> None:
    program = Program("postgres", "--state", str(state), "--database", "portal")
    url = program.ready["url"]
    _execute(url, "create table entry (id int)", "insert into entry values (1)")
    program.kill()
    wait_until(lambda: not processes_about(state), "everything has ended")
    with running_plain_postgres(state, databases=("portal",)) as server:
        assert server.url("portal") == url
        assert _ids(url) == [1]


def test_a_state_has_one_owner(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neon_sandbox.ownership.LOCK_WAIT_SECONDS", 0.05)
    state.mkdir()
    with owned(state, None), pytest.raises(Exception, match="in use by another process"), owned(state, None):
        pass


def _statuses(http: httpx.Client) -> list[str]:
    operations: list[dict[str, Any]] = http.get("/operations").json()["operations"]
    return [operation["status"] for operation in operations]


def _execute(uri: str, *statements: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _ids(uri: str) -> list[int]:
    with psycopg.connect(uri) as connection:
        return [row[0] for row in connection.execute("select id from entry order by id")]
