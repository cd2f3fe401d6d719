"""A sandbox that ends abruptly in the middle of work on snapshots does that work, whole and once, when it is back.

Without storage each instant between two steps can be tried: the memory is copied at that instant and opened again.
With PostgreSQL the program is killed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from neon_sandbox.scheduler import take_due
from neon_sandbox.testing import running_sandbox, temporary_state_dir
from tests.sandbox.api import Api
from tests.sandbox.programs import Program, processes_about, wait_until
from tests.sandbox.test_backup_schedule import moments, move_to, next_slot, put, shown

# Long enough to copy the memory while a step is under way; should it be over, the copy is of a later instant.
STEP_SECONDS = 0.2
Call = Callable[[Api, str, str], httpx.Response]


def take(api: Api, main: str, snapshot: str) -> httpx.Response:
    return api.call("POST", f"/branches/{main}/snapshot", name="second")


def delete(api: Api, main: str, snapshot: str) -> httpx.Response:
    return api.call("DELETE", f"/snapshots/{snapshot}")


def preview(api: Api, main: str, snapshot: str) -> httpx.Response:
    return api.restore_snapshot(snapshot, name="preview", target_branch_id=main)


def one_step(api: Api, main: str, snapshot: str) -> httpx.Response:
    return api.restore_snapshot(snapshot, target_branch_id=main, finalize_restore=True)


def finalize(api: Api, main: str, snapshot: str) -> httpx.Response:
    made = api.done(preview(api, main, snapshot))["branch"]["id"]
    api.sandbox.settings(operation_seconds=STEP_SECONDS)
    return api.call("POST", f"/branches/{made}/finalize_restore")


CASES: list[tuple[Call, list[str], dict[str, Any]]] = [
    (take, ["create_timeline"], {"snapshots": {"first", "second"}, "branches": {"main"}}),
    (delete, ["delete_timeline"], {"snapshots": set(), "branches": {"main"}}),
    (preview, ["create_branch", "start_compute"], {"snapshots": {"first"}, "branches": {"main", "preview"}}),
    (one_step, ["create_branch", "start_compute"], {"snapshots": {"first"}, "branches": {"main", "main (old)"}}),
    (finalize, ["suspend_compute", "start_compute"], {"snapshots": {"first"}, "branches": {"main", "main (old)"}}),
]
INSTANTS = [(call, actions, step, after) for call, actions, after in CASES for step in range(len(actions))]


@pytest.mark.parametrize(
    ("call", "actions", "step", "after"), INSTANTS, ids=[f"{call.__name__}-{step}" for call, _, step, _ in INSTANTS]
)
def test_each_step_can_be_the_last(call: Call, actions: list[str], step: int, after: dict[str, Any]):
    with temporary_state_dir() as directory:
        with running_sandbox(state_dir=directory / "state") as sandbox, (api := Api(sandbox)).http:
            main, endpoint = sandbox.branch_id, api.get("/endpoints")["endpoints"][0]["id"]
            snapshot = api.take_snapshot(main, name="first")["id"]
            if call is not finalize:
                sandbox.settings(operation_seconds=STEP_SECONDS)
            operations = call(api, main, snapshot).json()["operations"]
            assert [operation["action"] for operation in operations] == actions
            api.wait_for(operations[step]["id"], "running", "finished")
            copy_memory(directory / "state", directory / "copy")
        with reopened(directory / "copy") as api:
            for operation in operations:
                assert api.wait_for(operation["id"])["status"] == "finished"
            branches = {branch["name"]: branch for branch in api.get("/branches")["branches"]}
            assert set(branches) == after["branches"]
            assert {branch["current_state"] for branch in branches.values()} == {"ready"}
            snapshots = api.get("/snapshots")["snapshots"]
            assert {item["name"] for item in snapshots} == after["snapshots"]
            assert all("full_size" in item for item in snapshots)
            serving = {item["branch_id"]: item for item in api.get("/endpoints")["endpoints"]}
            assert serving[branches["main"]["id"]]["id"] == endpoint
            assert {item["current_state"] for item in serving.values()} == {"active"}
            assert len(serving) == (2 if call is preview else 1)


def test_slots_between_two_lives_are_taken_once():
    with temporary_state_dir() as directory:
        with running_sandbox(state_dir=directory / "state") as sandbox, (api := Api(sandbox)).http:
            api.done(api.call("PATCH", "", {"project": {"history_retention_seconds": 604_800}}))
            slot = next_slot(sandbox)
            put(api, sandbox.branch_id, {"frequency": "daily", "hour": slot.hour}).raise_for_status()
            sandbox.settings(operation_seconds=STEP_SECONDS)
            move_to(sandbox, slot + timedelta(days=3))
            wait_until(lambda: len(api.get("/snapshots")["snapshots"]) == 2, "the second is being taken")
            copy_memory(directory / "state", directory / "copy")
        with reopened(directory / "copy") as api:
            wait_until(lambda: len(moments(api)) == 4, "all are taken")
            assert moments(api) == [shown(slot + timedelta(days=day)) for day in range(4)]
            assert not take_due(api.sandbox.sandbox.plane)


@contextmanager
def reopened(state: Path) -> Iterator[Api]:
    with running_sandbox(state_dir=state, operation_seconds=0.0) as sandbox, (api := Api(sandbox)).http:
        yield api


def copy_memory(state: Path, copy: Path) -> None:
    copy.mkdir()
    with (
        closing(sqlite3.connect(state / "sandbox.sqlite3")) as source,
        closing(sqlite3.connect(copy / "sandbox.sqlite3")) as target,
    ):
        source.backup(target)


# With PostgreSQL


@pytest.mark.acceptance
def test_killed_again_and_again_on_the_way_through_a_restore():
    with temporary_state_dir() as directory:
        state = directory / "state"
        life = Life(state)
        uri, main, nodes = life.program.ready["connection_uri"], life.program.ready["branch_id"], state / "nodes"
        execute(uri, "create table entry (id int)", "insert into entry values (1)")

        life.begin("POST", f"/branches/{main}/snapshot?name=first")
        life.kill_when(lambda: len(list(nodes.iterdir())) == 2, "the data of the snapshot are being copied")
        (snapshot,) = life.get("/snapshots")["snapshots"]
        assert snapshot["full_size"] > 0
        execute(uri, "insert into entry values (2)")

        life.begin("POST", f"/snapshots/{snapshot['id']}/restore", {"name": "preview", "target_branch_id": main})
        life.kill_when(lambda: len(list(nodes.iterdir())) == 3, "the data of the preview are being copied")
        new = life.named("preview")["id"]
        assert ids(uri) == [1, 2]
        assert ids(life.uri(new)) == [1]

        life.begin("POST", f"/branches/{new}/finalize_restore")
        life.kill_when(lambda: life.statuses()[:2] == ["running", "finished"], "the compute changes hands")
        assert ids(uri) == [1]
        assert life.named("main")["id"] == new
        execute(uri, "insert into entry values (3)")

        body = {"target_branch_id": new, "finalize_restore": True}
        life.begin("POST", f"/snapshots/{snapshot['id']}/restore", body)
        life.kill_when(lambda: answers(uri) == [1], "the new data are served")
        assert ids(uri) == [1]
        assert {branch["name"] for branch in life.get("/branches")["branches"]} == {
            "main",
            "main (old)",
            "main (old) 2",
        }

        life.begin("DELETE", f"/snapshots/{snapshot['id']}")
        life.kill_when(lambda: life.statuses()[0] == "running", "the snapshot is being deleted")
        assert life.get("/snapshots")["snapshots"] == []
        assert ids(uri) == [1]
        assert life.end() == 0
        assert not processes_about(state)


class Life:
    """A sandbox that is killed and started again; its steps are slow only while work is to be interrupted."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.start()

    def start(self) -> None:
        self.program = Program("serve", "--state", str(self.state))
        self.http = self.program.http()
        self.root = self.program.ready["url"].removesuffix("/api/v2")
        self.set_step_seconds(0)

    def set_step_seconds(self, seconds: float) -> None:
        self.http.patch(f"{self.root}/_sandbox/settings", json={"operation_seconds": seconds}).raise_for_status()

    def begin(self, method: str, path: str, body: Any = None) -> None:
        self.set_step_seconds(0.5)
        self.http.request(method, path, json=body).raise_for_status()

    def kill_when(self, true: Callable[[], object], what: str) -> None:
        """And wait until the next life has done the work."""
        wait_until(true, what)
        self.program.kill()
        self.http.close()
        wait_until(lambda: not processes_about(self.state), "everything has ended")
        self.start()
        wait_until(lambda: set(self.statuses()) == {"finished"}, "the work is done")

    def end(self) -> int:
        self.http.close()
        return self.program.stop()

    def get(self, path: str, **query: str) -> Any:
        return self.http.get(path, params=query).raise_for_status().json()

    def statuses(self) -> list[str]:
        return [operation["status"] for operation in self.get("/operations")["operations"]]

    def named(self, name: str) -> Any:
        return next(branch for branch in self.get("/branches")["branches"] if branch["name"] == name)

    def uri(self, branch_id: str) -> str:
        query = {"database_name": "carecircle", "role_name": "carecircle_owner", "branch_id": branch_id}
        return str(self.get("/connection_uri", **query)["uri"])


def execute(uri: str, *statements: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def ids(uri: str) -> list[int]:
    with psycopg.connect(uri) as connection:
        return [row[0] for row in connection.execute("select id from entry order by id")]


def answers(uri: str) -> list[int]:
    """Nothing while the compute is away."""
    try:
        return ids(uri)
    except psycopg.OperationalError:
        return []
