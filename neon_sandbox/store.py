"""The sandbox's memory: frozen entities in dictionaries, written through to one SQLite file.

SQLite runs without fsync: what was committed survives a kill of this process, which is all that is promised.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from neon_sandbox import entities
from neon_sandbox.entities import Stored

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        entities.Project,
        entities.Branch,
        entities.Endpoint,
        entities.Role,
        entities.Database,
        entities.CatalogState,
        entities.Operation,
        entities.Job,
        entities.Key,
        entities.Node,
        entities.Snapshot,
        entities.BackupSchedule,
        entities.Usage,
        entities.Meter,
        entities.ClockMove,
        entities.Settings,
    )
}
_FIELDS = {name: frozenset(field.name for field in fields(kind)) for name, kind in KINDS.items()}
# Fields that entities are looked up by, besides their id.
INDEXED: dict[str, tuple[str, ...]] = {
    "Branch": ("project_id", "parent_id"),
    "Endpoint": ("project_id", "branch_id"),
    "Role": ("branch_id",),
    "Database": ("branch_id",),
    "CatalogState": ("branch_id",),
    "Operation": ("project_id",),
    "Job": ("project_id",),
    "Snapshot": ("project_id",),
    "Usage": ("project_id",),
    "Meter": ("project_id",),
}

E = TypeVar("E", bound=Stored)


class Store:
    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=off")
        self._db.execute("create table if not exists entity (kind text, id text, body text, primary key (kind, id))")
        self._lock = threading.RLock()
        self._depth = 0
        self._undo: list[tuple[str, str, Any]] = []
        self._entities: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self._indexes: dict[tuple[str, str, Any], dict[str, Any]] = {}
        for kind, body in self._db.execute("select kind, body from entity order by rowid"):
            entity = _decoded(kind, body)
            self._place(kind, entity.id, entity)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else reads or writes meanwhile. Joins a transaction already begun."""
        with self._lock:
            self._depth += 1
            try:
                yield
            except BaseException:
                self._roll_back()
                raise
            else:
                if self._depth == 1:
                    self._commit()
            finally:
                self._depth -= 1

    def put(self, entity: Stored) -> None:
        self._change(type(entity).__name__, entity.id, entity)

    def remove(self, entity: Stored) -> None:
        self._change(type(entity).__name__, entity.id, None)

    def get(self, kind: type[E], entity_id: str) -> E | None:
        with self._lock:
            found: E | None = self._entities[kind.__name__].get(entity_id)
            return found

    def must(self, kind: type[E], entity_id: str) -> E:
        found = self.get(kind, entity_id)
        if found is None:
            raise KeyError(f"{kind.__name__} {entity_id}")
        return found

    def find(self, kind: type[E], where: Callable[[E], bool] = lambda _: True) -> list[E]:
        """In the order of creation."""
        with self._lock:
            return [entity for entity in self._entities[kind.__name__].values() if where(entity)]

    def find_by(self, kind: type[E], field_name: str, value: object) -> list[E]:
        """As find, for the fields in INDEXED: the effort depends on what is found, not on all that there is."""
        if field_name not in INDEXED[kind.__name__]:
            raise KeyError(field_name)
        with self._lock:
            return list(self._indexes.get((kind.__name__, field_name, value), {}).values())

    def _change(self, kind: str, entity_id: str, entity: Stored | None) -> None:
        with self.transaction():
            self._undo.append((kind, entity_id, self._entities[kind].get(entity_id)))
            self._place(kind, entity_id, entity)

    def _roll_back(self) -> None:
        for kind, entity_id, before in reversed(self._undo):
            self._place(kind, entity_id, before)
        self._undo.clear()

    def _commit(self) -> None:
        changed = dict.fromkeys((kind, entity_id) for kind, entity_id, _ in self._undo)
        self._undo.clear()
        if not changed:
            return
        self._db.execute("begin immediate")
        for kind, entity_id in changed:
            entity = self._entities[kind].get(entity_id)
            if entity is None:
                self._db.execute("delete from entity where kind = ? and id = ?", (kind, entity_id))
            else:
                self._db.execute(
                    "insert into entity values (?, ?, ?) on conflict (kind, id) do update set body = excluded.body",
                    (kind, entity_id, _encoded(entity)),
                )
        self._db.execute("commit")

    def _place(self, kind: str, entity_id: str, entity: Any) -> None:
        before = self._entities[kind].get(entity_id)
        _set(self._entities[kind], entity_id, entity)
        for name in INDEXED.get(kind, ()):
            old, new = getattr(before, name, None), getattr(entity, name, None)
            if before is not None and (entity is None or old != new):
                self._indexes[kind, name, old].pop(entity_id)
                if not self._indexes[kind, name, old]:
                    del self._indexes[kind, name, old]
            if entity is not None:
                self._indexes.setdefault((kind, name, new), {})[entity_id] = entity


def _set(entities_of_kind: dict[str, Any], entity_id: str, entity: Any) -> None:
    if entity is None:
        entities_of_kind.pop(entity_id, None)
    else:
        entities_of_kind[entity_id] = entity


def _encoded(entity: Any) -> str:
    # Not asdict, which copies everything first: most of what a commit costs would be that.
    return json.dumps(vars(entity), default=_plain)


def _plain(value: Any) -> Any:
    return {"$time": value.isoformat()} if isinstance(value, datetime) else asdict(value)


def _decoded(kind: str, body: str) -> Any:
    values = json.loads(body, object_hook=_revived)
    known = _FIELDS[kind]
    if kind == "Node":
        values["bases"] = [entities.Base(**base) for base in values["bases"]]
    return KINDS[kind](**{name: value for name, value in values.items() if name in known})


def _revived(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value["$time"]) if "$time" in value and len(value) == 1 else value
