"""The memory: look-ups by a field stay right through changes, failures and restarts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from neon_sandbox.entities import Branch, Key, Operation
from neon_sandbox.store import Store

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path)
    yield opened
    opened.close()


def branch(name: str, parent_id: str | None = None) -> Branch:
    return Branch(name, "project", name, f"node-{name}", NOW, NOW, NOW, NOW, parent_id=parent_id)


def children(store: Store, parent_id: str | None) -> list[str]:
    return [found.id for found in store.find_by(Branch, "parent_id", parent_id)]


def test_a_change_moves_an_entity_from_one_group_to_the_other(store: Store) -> None:
    for entity in (branch("main"), branch("old"), branch("child", "main"), branch("other", "main")):
        store.put(entity)
    assert children(store, "main") == ["child", "other"]
    store.put(branch("child", "old"))
    store.remove(branch("other"))
    assert (children(store, "main"), children(store, "old")) == ([], ["child"])
    assert children(store, None) == ["main", "old"]
    store.put(replace(branch("child", "old"), name="renamed"))
    assert [found.name for found in store.find_by(Branch, "parent_id", "old")] == ["renamed"]


def test_what_fails_leaves_the_groups_as_they_were(store: Store) -> None:
    for entity in (branch("main"), branch("old"), branch("child", "main"), branch("gone", "main")):
        store.put(entity)

    def fail() -> None:
        with store.transaction():
            store.put(branch("child", "old"))
            store.put(branch("new", "main"))
            store.remove(branch("gone"))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert sorted(children(store, "main")) == ["child", "gone"]
    assert children(store, "old") == []


def test_groups_are_there_after_a_restart(path: Path, store: Store) -> None:
    store.put(branch("main"))
    store.put(branch("child", "main"))
    store.put(Operation("o", "project", "main", None, "create_branch", NOW, NOW))
    again = Store(path)
    try:
        assert children(again, "main") == ["child"]
        assert [found.id for found in again.find_by(Operation, "project_id", "project")] == ["o"]
    finally:
        again.close()


def test_a_look_up_by_another_field_is_refused_instead_of_finding_nothing(store: Store) -> None:
    store.put(branch("main"))
    with pytest.raises(KeyError):
        store.find_by(Branch, "name", "main")
    with pytest.raises(KeyError):
        store.find_by(Key, "label", "first")
