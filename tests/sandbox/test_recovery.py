"""Points in time over real PostgreSQL: exactly the rows of the moment, nothing else."""

from __future__ import annotations

import threading
import time
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from neon_sandbox.entities import Base, Node
from neon_sandbox.storage import bases, pruning
from neon_sandbox.storage.postgres import PostgresStorage
from tests.sandbox.programs import wait_until
from tests.sandbox.real import RealProject, quiet_moment


def test_branch_at_a_moment_and_at_an_lsn_is_exact_to_the_row(shared: RealProject) -> None:
    shared.insert(1, 2, 3)
    moment, lsn = quiet_moment(), shared.head_lsn()
    shared.execute("delete from entry where id = 2")
    shared.insert(4)

    at_moment = shared.branch("at-moment", parent_timestamp=moment)
    at_lsn = shared.branch("at-lsn", parent_lsn=lsn)
    head = shared.branch("head")
    assert shared.ids(at_moment) == shared.ids(at_lsn) == [1, 2, 3]
    assert shared.ids(head) == shared.ids() == [1, 3, 4]
    # Branches are apart from each other and from their parent.
    shared.insert(9, branch_id=at_moment)
    assert shared.ids(at_lsn) == [1, 2, 3]
    assert 9 not in shared.ids()


def test_the_last_moment_before_now_can_be_restored(shared: RealProject) -> None:
    shared.insert(1)
    assert shared.ids(shared.branch("now", parent_timestamp=quiet_moment())) == [1]


def test_points_that_history_does_not_hold(shared: RealProject) -> None:
    created = shared.api.branch(shared.main)["created_at"]
    refused = shared.api.call("POST", "/branches", {"branch": {"parent_timestamp": created}})
    assert refused.status_code in (201, 400)  # the second of its creation may or may not be over
    for point in ({"parent_lsn": "0/100"}, {"parent_lsn": "FF/0"}, {"parent_timestamp": "2020-01-01T00:00:00Z"}):
        assert shared.api.call("POST", "/branches", {"branch": point}).status_code == 400


def test_restore_in_place_while_a_client_keeps_writing(project: RealProject) -> None:
    project.insert(1, 2, 3)
    moment = quiet_moment()
    project.execute("delete from entry where id < 3")
    written: list[int] = []
    stop = threading.Event()
    writer = threading.Thread(target=_keep_writing, args=[project.sandbox.dsn(project.main), written, stop])
    writer.start()
    try:
        _wait_for_more(written, 5)
        project.restore(source_timestamp=moment, preserve_under_name="main_old")
        _wait_for_more(written, 5)
    finally:
        stop.set()
        writer.join()

    live = project.ids()
    preserved = project.api.named("main_old")["id"]
    project.add_endpoint(preserved)
    before_the_cut = project.ids(preserved)
    assert [entry for entry in live if entry < 100] == [1, 2, 3]
    assert [entry for entry in before_the_cut if entry < 100] == [3]
    # Each row that a client was told is written lies on exactly one side of the cut.
    lived_on, kept = {e for e in live if e >= 100}, {e for e in before_the_cut if e >= 100}
    assert lived_on.isdisjoint(kept)
    assert set(written) <= lived_on | kept
    assert max(kept) < min(lived_on)


def test_connection_string_survives_and_restores_can_be_restored(project: RealProject) -> None:
    uri, query = project.sandbox.dsn(project.main), {"database_name": "carecircle", "role_name": "carecircle_owner"}
    project.insert(1)
    first = quiet_moment()
    project.insert(2)
    second = quiet_moment()
    project.insert(3)
    project.restore(source_timestamp=second, preserve_under_name="one")
    assert project.ids() == [1, 2]
    project.insert(20)
    project.restore(source_timestamp=first, preserve_under_name="two")
    assert project.ids() == [1]
    project.restore(source_branch_id=project.api.named("two")["id"], preserve_under_name="three")
    assert project.ids() == [1, 2, 20]
    project.restore(source_branch_id=project.api.named("one")["id"], preserve_under_name="four")
    assert project.ids() == [1, 2, 3]
    assert project.api.get("/connection_uri", **query)["uri"] == uri


def test_a_branch_restored_by_lsn_goes_back_further_by_time(project: RealProject) -> None:
    project.insert(1)
    first = quiet_moment()
    project.insert(2)
    lsn = project.head_lsn()
    project.insert(3)
    project.restore(source_lsn=lsn, preserve_under_name="by-lsn")
    assert project.ids() == [1, 2]
    project.insert(4)
    project.restore(source_timestamp=first, preserve_under_name="by-time")
    assert project.ids() == [1]
    project.insert(5)
    later = quiet_moment()
    project.insert(6)
    assert project.ids(project.branch("child-of-it")) == [1, 5, 6]
    project.restore(source_timestamp=later, preserve_under_name="last")
    assert project.ids() == [1, 5]


def test_a_chain_of_branches_needs_no_base_of_its_own(shared: RealProject) -> None:
    parent = shared.main
    for level in range(3):
        shared.insert(level, branch_id=parent)
        child = shared.branch(f"level-{level}", parent_id=parent)
        shared.insert(100 + level, branch_id=parent)
        parent = child
    assert shared.ids(parent) == [0, 1, 2]


def test_a_suspended_branch_can_be_branched_at_any_moment(shared: RealProject) -> None:
    shared.insert(1)
    moment = quiet_moment()
    shared.insert(2)
    later = quiet_moment()
    endpoint = shared.api.get(f"/branches/{shared.main}/endpoints")["endpoints"][0]["id"]
    shared.api.done(shared.api.call("POST", f"/endpoints/{endpoint}/suspend"))
    with pytest.raises(psycopg.OperationalError):
        shared.ids()
    assert shared.ids(shared.branch("before", parent_timestamp=moment)) == [1]
    assert shared.ids(shared.branch("after", parent_timestamp=later)) == [1, 2]
    assert shared.ids(shared.branch("head-of-suspended")) == [1, 2]
    shared.api.done(shared.api.call("POST", f"/endpoints/{endpoint}/start"))
    assert shared.ids() == [1, 2]


def test_new_bases_are_taken_and_old_moments_stay_reachable(
    project: RealProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "WAL_BETWEEN_BASES_BYTES", 2 << 20)
    monkeypatch.setattr(pruning, "MOST_BASES", 2)
    moments = []
    for round_number in range(4):
        project.insert(round_number)
        moments.append(quiet_moment())
        project.execute("create table ballast as select repeat(random()::text, 50) from generate_series(1, 4000)")
        project.execute("drop table ballast")
        _storage(project).maintain(project.sandbox.sandbox.plane.needed_nodes())
    assert len(_bases(project)) == 2
    for round_number, moment in enumerate(moments):
        branch_id = project.branch(f"round-{round_number}", parent_timestamp=moment)
        assert project.ids(branch_id) == list(range(round_number + 1))


def test_other_passwords_below_a_protected_branch_work(shared: RealProject) -> None:
    shared.insert(1)
    _protect_main(shared, True)
    child = shared.branch("below-protected")
    _protect_main(shared, False)
    assert shared.ids(child) == [1]
    stolen = shared.sandbox.dsn(shared.main).replace(_port(shared, shared.main), _port(shared, child))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stolen)


def test_roles_and_databases_made_through_the_api_exist(shared: RealProject) -> None:
    path = f"/branches/{shared.main}"
    shared.api.done(shared.api.call("POST", f"{path}/roles", {"role": {"name": "reader"}}))
    shared.api.done(
        shared.api.call("POST", f"{path}/databases", {"database": {"name": "second", "owner_name": "reader"}})
    )
    uri = shared.api.get("/connection_uri", database_name="second", role_name="reader")["uri"]
    with psycopg.connect(uri) as connection:
        assert connection.execute("select current_database(), current_user").fetchone() == ("second", "reader")


def test_commit_timestamps_are_kept(shared: RealProject) -> None:
    shared.insert(1)
    with shared.connect() as connection:
        row = connection.execute("select pg_xact_commit_timestamp(xmin) from entry").fetchone()
    assert row
    assert row[0] is not None


def test_deleted_branches_leave_no_directory(shared: RealProject) -> None:
    nodes = shared.sandbox.sandbox.plane.storage.nodes  # type: ignore[attr-defined]
    before = {path.name for path in nodes.root.iterdir()}
    branch_id = shared.branch("short")
    assert len(list(nodes.root.iterdir())) == len(before) + 1
    shared.api.done(shared.api.call("DELETE", f"/branches/{branch_id}"))
    wait_until(lambda: {path.name for path in nodes.root.iterdir()} == before, "its directory is gone")


def _keep_writing(dsn: str, written: list[int], stop: threading.Event) -> None:
    """Inserts 100, 101, ... over new connections when one is cut; notes the rows that were confirmed."""
    entries = count(100)
    while not stop.is_set():
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                while not stop.is_set():
                    entry = next(entries)
                    connection.execute("insert into entry values (%s, 'x')", [entry])
                    written.append(entry)
        except psycopg.OperationalError:
            time.sleep(0.002)


def _wait_for_more(written: list[int], more: int) -> None:
    enough = len(written) + more
    wait_until(lambda: len(written) >= enough, "more rows")


def _bases(project: RealProject) -> list[Base]:
    return _storage(project).nodes.store.must(Node, _node_of_main(project)).bases


def _node_of_main(project: RealProject) -> str:
    branches = project.sandbox.sandbox.plane.branches(project.api.project_id)
    return next(branch.node_id for branch in branches if branch.id == project.main)


def _storage(project: RealProject) -> PostgresStorage:
    storage = project.sandbox.sandbox.plane.storage
    assert isinstance(storage, PostgresStorage)
    return storage


def _protect_main(project: RealProject, protected: bool) -> None:
    body = {"branch": {"protected": protected}}
    project.api.call("PATCH", f"/branches/{project.main}", body).raise_for_status()


def _port(project: RealProject, branch_id: str) -> str:
    return f":{urlsplit(project.sandbox.dsn(branch_id)).port}/"


def test_a_base_that_is_thinned_out_while_it_is_copied_is_replaced_by_an_older_one(
    project: RealProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, node_id = _storage(project), _node_of_main(project)
    # A spare would be renamed into place; here it is the copy that is disturbed.
    monkeypatch.setattr(storage._bases.spares, "take", lambda *_: False)
    project.insert(1)
    taken = storage._bases.take(node_id)
    whole_copy = storage.nodes.copy_tree

    def drop_then_copy(source: Path, target: Path, names: list[str] | None = None) -> None:
        monkeypatch.setattr(storage.nodes, "copy_tree", whole_copy)
        newest = storage.nodes.store.must(Node, node_id).bases[-1]
        storage._bases.drop(node_id, [newest])
        whole_copy(source, target, names)

    monkeypatch.setattr(storage.nodes, "copy_tree", drop_then_copy)
    assert project.ids(project.branch("copy")) == [1]
    assert taken not in storage.nodes.store.must(Node, node_id).bases


def test_two_who_take_a_base_at_once_take_two(project: RealProject) -> None:
    storage, node_id = _storage(project), _node_of_main(project)
    threads = [threading.Thread(target=storage._bases.take, args=(node_id,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [base.number for base in storage.nodes.store.must(Node, node_id).bases]
    assert len(numbers) == len(set(numbers))
    assert all(storage._bases.path(node_id, number).exists() for number in numbers)
