"""What is kept and what is dropped: never what a branch, a snapshot or the history window still needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from neon_sandbox.entities import Base, Branch, Node
from neon_sandbox.storage import bases, postgres, pruning
from neon_sandbox.storage.postgres import PostgresStorage
from neon_sandbox.storage.retention import Span, first_base, plan, thinned
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.sandbox.real import RealProject, real_project

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW_SECONDS = 86_400.0


def node(name: str, *taken: tuple[int, int], parent: str | None = None, fork_lsn: int = 0) -> Node:
    """`taken` are bases: the hour and the LSN at which each ended."""
    made = [Base(number, START + hour * HOUR, lsn, lsn - 5) for number, (hour, lsn) in enumerate(taken, start=1)]
    return Node(name, START, "secret", parent_id=parent, ready=True, fork_lsn=fork_lsn, bases=made)


def by_id(*nodes: Node) -> dict[str, Node]:
    return {each.id: each for each in nodes}


def test_history_begins_with_the_newest_base_from_before_the_window():
    nodes = by_id(node("root", (0, 100), (10, 200), (20, 300)))
    kept = plan(nodes, {"root": START + 15 * HOUR})["root"]
    assert kept.bases == {2}
    assert kept.spans == [Span(195, None)]
    assert not kept.covers(0, 195)
    assert kept.covers(190, 200)
    assert [base.number for base in nodes["root"].bases if kept.useful(base)] == [2, 3]


def test_a_base_that_ended_just_after_the_moment_does_not_reach_it():
    nodes = by_id(node("root", (0, 100), (10, 200)))
    at = START + 10 * HOUR
    assert plan(nodes, {"root": at})["root"].bases == {2}
    assert plan(nodes, {"root": at - timedelta(microseconds=1)})["root"].bases == {1}


def test_a_child_needs_its_ancestors_up_to_where_it_left_them():
    nodes = by_id(
        node("root", (0, 100), (10, 200), (20, 900)),
        node("child", parent="root", fork_lsn=250),
        node("grandchild", parent="child", fork_lsn=260),
    )
    kept = plan(nodes, {"grandchild": START + 30 * HOUR})
    assert kept["root"].bases == {2}
    assert kept["root"].spans == [Span(195, 250)]
    assert kept["child"].spans == [Span(0, 260)]
    assert kept["grandchild"].spans == [Span(0, None)]
    assert not kept["root"].covers(251, 900)
    # What the ancestor did after the child had left it is of no use to the child.
    assert not kept["root"].useful(nodes["root"].bases[2])


def test_an_own_base_frees_the_ancestors_once_it_is_old_enough():
    nodes = by_id(node("root", (0, 100)), node("child", (10, 300), parent="root", fork_lsn=250))
    assert set(plan(nodes, {"child": START + 9 * HOUR})) == {"root", "child"}
    assert set(plan(nodes, {"child": START + 10 * HOUR})) == {"child"}


def test_a_history_younger_than_the_window_is_kept_from_its_beginning():
    nodes = by_id(node("root", (5, 100), (6, 200)), node("child", (8, 300), parent="root", fork_lsn=250))
    found = first_base(nodes, "child", START)
    assert found
    assert (found[0].id, found[1].number) == ("root", 1)


def test_thinning_spares_what_is_needed_and_the_newest():
    made = node("root", (0, 100), (1, 110), (2, 120), (3, 200), (4, 300), (5, 310)).bases
    assert [base.number for base in thinned(made, {1}, 3)] == [1, 4, 6]
    assert [base.number for base in thinned(made, {1, 2}, 2)] == [1, 2, 6]


@contextmanager
def small_bases() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bases, "WAL_BETWEEN_BASES_BYTES", 2 << 20)
        patch.setattr(pruning, "PRUNE_EVERY_SECONDS", 0.0)
        patch.setattr(postgres, "QUIET_SECONDS", -1.0)
        yield patch


@pytest.fixture(scope="module")
def _old_sandbox() -> Iterator[RunningSandbox]:
    with small_bases(), running_sandbox("postgres", plan="scale") as sandbox:
        yield sandbox


@pytest.fixture
def past(_old_sandbox: RunningSandbox) -> Iterator[RealProject]:
    """A project whose days pass quickly."""
    with real_project(_old_sandbox) as project:
        yield project


def storage_of(project: RealProject) -> PostgresStorage:
    storage = project.sandbox.sandbox.plane.storage
    assert isinstance(storage, PostgresStorage)
    return storage


def keep_house(project: RealProject) -> None:
    project.sandbox.sandbox.tidy()


def node_of(project: RealProject, branch_id: str) -> str:
    return project.sandbox.sandbox.plane.store.must(Branch, branch_id).node_id


def write_ballast(project: RealProject) -> None:
    """Several segments of WAL that leave nothing behind."""
    project.execute("create table ballast as select repeat(random()::text, 50) from generate_series(1, 2500)")
    project.execute("drop table ballast")


def archived_bytes(project: RealProject) -> int:
    return sum(path.stat().st_size for path in storage_of(project).nodes.root.glob("*/wal/*"))


def test_a_window_moves_on_and_what_lies_before_it_is_refused(past: RealProject) -> None:
    moments, sizes = [], []
    for hour in range(9):
        past.insert(hour)
        moments.append((past.sandbox.move_clock(10) - timedelta(seconds=5), hour))
        write_ballast(past)
        keep_house(past)
        sizes.append(archived_bytes(past))
        past.sandbox.move_clock(8 * 3600)
    # Three days pass; the history is as long as one day, and reaches beyond only as far as its first base lies.
    assert max(sizes[5:]) <= 1.5 * max(sizes[:5])
    oldest = past.sandbox.now() - timedelta(seconds=WINDOW_SECONDS)
    for number, (moment, hour) in enumerate(moments):
        answer = past.api.call("POST", "/branches", {"branch": {"parent_timestamp": moment.isoformat()}})
        assert answer.status_code == (201 if moment >= oldest else 400), answer.text
        if moment >= oldest:
            past.api.done(answer)
            past.add_endpoint(answer.json()["branch"]["id"])
            assert past.ids(answer.json()["branch"]["id"]) == list(range(hour + 1)), number
    # Inside by more than a slow machine takes from here to its answer; the moments lie eight hours apart.
    edge = (oldest + timedelta(minutes=5)).isoformat()
    expected = [hour for moment, hour in moments if moment <= oldest]
    assert past.ids(past.branch("edge", parent_timestamp=edge)) == expected


def test_after_a_restore_the_replaced_data_go_when_the_window_has_passed(past: RealProject) -> None:
    past.insert(1, 2)
    moment = past.sandbox.move_clock(10) - timedelta(seconds=5)
    past.execute("delete from entry where id = 1")
    replaced = node_of(past, past.main)
    past.restore(source_timestamp=moment.isoformat(), preserve_under_name="replaced")
    assert past.ids() == [1, 2]
    past.api.done(past.api.call("DELETE", f"/branches/{past.api.named('replaced')['id']}"))
    keep_house(past)
    nodes = storage_of(past).nodes.root
    assert (nodes / replaced).exists(), "main's own history of the last day lies in it"
    past.sandbox.move_clock(WINDOW_SECONDS + 3600)
    keep_house(past)
    keep_house(past)
    assert not (nodes / replaced).exists()
    past.insert(3)
    later = past.sandbox.move_clock(10) - timedelta(seconds=5)
    past.insert(4)
    assert past.ids(past.branch("after-all", parent_timestamp=later.isoformat())) == [1, 2, 3]


def test_a_suspended_branch_frees_its_ancestors_as_well(past: RealProject) -> None:
    past.insert(1)
    replaced = node_of(past, past.main)
    past.restore(source_timestamp=past.sandbox.move_clock(1).isoformat(), preserve_under_name="left")
    endpoint = past.api.get(f"/branches/{past.main}/endpoints")["endpoints"][0]["id"]
    past.api.done(past.api.call("POST", f"/endpoints/{endpoint}/suspend"))
    past.api.done(past.api.call("DELETE", f"/branches/{past.api.named('left')['id']}"))
    keep_house(past)
    past.sandbox.move_clock(WINDOW_SECONDS + 3600)
    keep_house(past)
    keep_house(past)
    assert not (storage_of(past).nodes.root / replaced).exists()
    # Nothing has been written since its only base: there is no WAL behind it to replay.
    assert past.ids(past.branch("of-suspended")) == [1]
    past.api.done(past.api.call("POST", f"/endpoints/{endpoint}/start"))
    past.insert(2)
    assert past.ids(past.branch("of-started")) == [1, 2]


def spares_of(project: RealProject) -> set[str]:
    directory = storage_of(project).nodes.dir(node_of(project, project.main))
    return {path.name for path in directory.glob("spare-*")}


def test_spares_are_few_and_go_with_the_compute(past: RealProject) -> None:
    keep_house(past)
    assert spares_of(past) == {"spare-1-0"}
    past.branch("uses-it")
    for _ in range(3):
        keep_house(past)
    assert spares_of(past) == {"spare-1-0", "spare-1-1"}, "two while they are in use"
    endpoint = past.api.get(f"/branches/{past.main}/endpoints")["endpoints"][0]["id"]
    past.api.done(past.api.call("POST", f"/endpoints/{endpoint}/suspend"))
    storage_of(past)._bases.spares._used.clear()  # as if nobody had branched for two minutes
    keep_house(past)
    assert not spares_of(past)


def test_after_a_kill_whole_spares_stay_and_the_rest_goes(past: RealProject) -> None:
    keep_house(past)
    directory = storage_of(past).nodes.dir(node_of(past, past.main))
    for leftover in ("spare-1.new", "spare-7-0", "spare-7"):
        (directory / leftover).mkdir()
    storage_of(past)._bases.spares.keep_whole_ones()
    assert spares_of(past) == {"spare-1-0"}
