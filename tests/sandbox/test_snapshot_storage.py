"""What a snapshot holds outlives its source; what is made of it is a branch like any other. And sizes and schemas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from neon_sandbox.cluster import free_port
from neon_sandbox.entities import Node
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Point
from neon_sandbox.storage.postgres import PostgresStorage
from neon_sandbox.storage.sharing import share_equal_files
from tests.sandbox.real import RealProject, quiet_moment
from tests.sandbox.test_pruning import node_of, storage_of

HEAD = Point()


@contextmanager
def pinned(project: RealProject, *node_ids: str) -> Iterator[PostgresStorage]:
    """Nodes that belong to no branch, kept from the housekeeper for the time of a test."""
    plane = project.sandbox.sandbox.plane
    plane.pinned_nodes.update(node_ids)
    try:
        yield storage_of(project)
    finally:
        plane.pinned_nodes.difference_update(node_ids)


def rows(storage: PostgresStorage, node_id: str) -> list[int]:
    with storage.nodes.connection(node_id, "carecircle") as connection:
        return [row[0] for row in connection.execute("select id from entry order by id")]


def add(storage: PostgresStorage, node_id: str, entry: int) -> None:
    with storage.nodes.connection(node_id, "carecircle") as connection:
        connection.execute("insert into entry values (%s, 'x')", [entry])


def point_at(moment: str) -> Point:
    return Point(timestamp=datetime.fromisoformat(moment))


def test_it_holds_its_moment_and_needs_nothing_of_its_source(project: RealProject) -> None:
    project.insert(1, 2)
    moment = quiet_moment()
    project.insert(3)
    source = node_of(project, project.branch("source"))
    with pinned(project, "snap-past", "snap-head", "from-past", "from-head") as storage:
        main = node_of(project, project.main)
        storage.snapshot(main, "snap-past", point_at(moment))
        storage.snapshot(source, "snap-head", HEAD)
        again = storage.snapshot(source, "snap-head", HEAD)
        assert again.lsn == storage.nodes.store.must(Node, "snap-head").fork_lsn
        # The project is of no use afterwards, and no other test has it.
        storage.discard([main, source])
        storage.fork("snap-past", "from-past", HEAD, free_port())
        storage.fork("snap-head", "from-head", HEAD, free_port())
        assert rows(storage, "from-past") == [1, 2]
        assert rows(storage, "from-head") == [1, 2, 3]
        storage.discard(["from-past", "from-head", "snap-past", "snap-head"])


def test_what_is_made_of_it_is_a_source_like_any_other(project: RealProject) -> None:
    project.insert(1)
    names = ("snap", "one", "other", "child", "grandchild", "snap-of-one", "third")
    with pinned(project, *names) as storage:
        storage.snapshot(node_of(project, project.main), "snap", HEAD)
        for name in ("one", "other"):  # on the same timeline, each with rows of its own behind the snapshot's end
            storage.fork("snap", name, HEAD, free_port())
            add(storage, name, 10 if name == "one" else 20)
        moment = quiet_moment()
        add(storage, "one", 11)
        add(storage, "other", 21)
        storage.fork("one", "child", point_at(moment), free_port())
        assert rows(storage, "child") == [1, 10]
        add(storage, "child", 12)
        storage.release("child")
        storage.fork("child", "grandchild", HEAD, free_port())
        assert rows(storage, "grandchild") == [1, 10, 12]
        storage.snapshot("one", "snap-of-one", HEAD)
        storage.fork("snap-of-one", "third", HEAD, None)
        assert rows(storage, "third") == [1, 10, 11]
        assert rows(storage, "other") == [1, 20, 21]
        storage.discard(names)


def test_made_of_it_and_never_started_it_can_be_branched_at_once(project: RealProject) -> None:
    project.insert(1)
    with pinned(project, "snap", "idle", "child") as storage:
        storage.snapshot(node_of(project, project.main), "snap", HEAD)
        storage.fork("snap", "idle", HEAD, None)
        storage.fork("idle", "child", point_at(quiet_moment()), None)
        assert rows(storage, "child") == [1]
        storage.discard(["snap", "idle", "child"])


def test_there_is_no_going_back_behind_a_snapshot(project: RealProject) -> None:
    project.insert(1)
    before, lsn = quiet_moment(), project.head_lsn()
    with pinned(project, "snap", "one") as storage:
        storage.snapshot(node_of(project, project.main), "snap", HEAD)
        storage.fork("snap", "one", HEAD, None)
        high, low = lsn.split("/")
        for point in (point_at(before), Point(lsn=(int(high, 16) << 32) | int(low, 16))):
            for node_id in ("snap", "one"):
                with pytest.raises(ApiProblem, match="outside the history window"):
                    storage.check(node_id, point)
        storage.discard(["snap", "one"])


def test_an_own_base_replaces_the_snapshot_that_a_branch_came_from(project: RealProject) -> None:
    project.insert(1)
    with pinned(project, "snap", "one", "child") as storage:
        storage.snapshot(node_of(project, project.main), "snap", HEAD)
        storage.fork("snap", "one", HEAD, None)
        now = storage.nodes.clock.now()
        assert "snap" not in storage.unneeded({"one": now})
        storage._pruning.free_ancestors({"one": now})
        later = storage.nodes.clock.now() + timedelta(seconds=1)
        assert {"snap", node_of(project, project.main)} <= set(storage.unneeded({"one": later}))
        storage.discard(["snap"])
        add(storage, "one", 2)
        storage.fork("one", "child", HEAD, None)
        assert rows(storage, "child") == [1, 2]
        storage.discard(["one", "child"])


def test_it_takes_little_more_than_its_databases(project: RealProject) -> None:
    with pinned(project, "snap") as storage:
        main = node_of(project, project.main)
        storage.snapshot(main, "snap", HEAD)
        size, on_disk = storage.size_bytes("snap"), _disk_bytes(storage.nodes.dir("snap"))
        assert abs(size - storage.size_bytes(main)) < 1 << 20
        assert size < on_disk < size + (3 << 20)
        storage.discard(["snap"])


def test_equal_files_of_copies_are_shared(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for directory in (one, other):
        (directory / "base").mkdir(parents=True)
        (directory / "base" / "same").write_bytes(b"x" * 8192)
        (directory / "base" / "different").write_bytes(directory.name.encode().ljust(8192))
        (directory / "empty").touch()
    (one / "only-here").write_text("y")
    assert share_equal_files(one, other) == 8192
    assert (one / "base" / "same").samefile(other / "base" / "same")
    assert (one / "base" / "different").read_bytes().startswith(b"one ")
    assert not (one / "empty").samefile(other / "empty")
    assert share_equal_files(one, other) == 0


def test_sizes_are_those_of_postgres_running_or_not(project: RealProject) -> None:
    storage, main = storage_of(project), node_of(project, project.main)
    project.execute("create table large as select repeat('x', 1000) from generate_series(1, 5000)")
    with storage.nodes.connection(main) as connection:
        connection.execute("checkpoint")
        row = connection.execute("select sum(pg_database_size(oid)) from pg_database").fetchone()
    assert row
    assert storage.size_bytes(main) == row[0]
    storage.release(main)
    assert abs(storage.size_bytes(main) - row[0]) < (1 << 20)
    assert storage.size_bytes("no-such-node") == 0


def test_history_is_what_was_written_since(project: RealProject) -> None:
    storage, main = storage_of(project), node_of(project, project.main)
    before = storage.nodes.clock.now()
    project.execute("create table ballast as select repeat(random()::text, 50) from generate_series(1, 8000)")
    written = storage.history_bytes(main, before)
    assert 5 << 20 < written < 25 << 20
    assert storage.history_bytes(main, storage.nodes.clock.now() + timedelta(seconds=1)) == 0
    assert written <= storage.history_bytes(main, before - timedelta(days=1))


def test_the_schema_of_a_moment(project: RealProject) -> None:
    storage, main = storage_of(project), node_of(project, project.main)
    moment = quiet_moment()
    project.execute("alter table entry add column note text")
    then, now = storage.schema(main, "carecircle", point_at(moment)), storage.schema(main, "carecircle", HEAD)
    assert "CREATE TABLE public.entry" in then
    assert "note text" not in then
    assert "note text" in now
    assert now == storage.schema(main, "carecircle", HEAD), "nothing in it changes from one call to the next"
    storage.release(main)
    assert storage.schema(main, "carecircle", HEAD) == now
    assert not [path for path in storage.nodes.root.iterdir() if path.name.startswith("schema-")]
    with pytest.raises(ApiProblem):
        storage.schema(main, "carecircle", point_at("2020-01-01T00:00:00Z"))


def test_passwords_and_roles_come_along(project: RealProject) -> None:
    with pinned(project, "snap", "one") as storage:
        storage.snapshot(node_of(project, project.main), "snap", HEAD)
        port = free_port()
        storage.fork("snap", "one", HEAD, port)
        dsn = project.sandbox.dsn(project.main)
        own_port = dsn.rpartition(":")[2].partition("/")[0]
        with psycopg.connect(dsn.replace(f":{own_port}/", f":{port}/")) as connection:
            assert connection.execute("select count(*) from entry").fetchone() == (0,)
        storage.discard(["snap", "one"])


def _disk_bytes(directory: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())
