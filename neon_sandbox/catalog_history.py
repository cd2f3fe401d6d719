"""The roles and databases that a branch had at an earlier moment, with the passwords of then.

A branch whose roles and databases never changed has no history: what it has now, it had from its beginning. The
first change notes what was there before it, each change what is there after it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from neon_sandbox.entities import CatalogState, Database, Role
from neon_sandbox.store import Store

# Longer than any history window.
_KEPT_FOR = timedelta(days=31)


def note(store: Store, branch_id: str, at: datetime) -> None:
    """Remembers what the branch has at this moment."""
    with store.transaction():
        store.put(
            CatalogState(
                id=str(uuid.uuid4()),
                branch_id=branch_id,
                at=at,
                roles=[asdict(role) for role in store.find_by(Role, "branch_id", branch_id)],
                databases=[asdict(database) for database in store.find_by(Database, "branch_id", branch_id)],
            )
        )
        # One from before the window is still needed: it holds until the first within.
        for state in [state for state in states(store, branch_id) if state.at < at - _KEPT_FOR][:-1]:
            store.remove(state)


def note_beginning(store: Store, branch_id: str, at: datetime) -> None:
    """As `note`, when nothing is remembered of the branch yet; to be called before its first change."""
    if not states(store, branch_id):
        note(store, branch_id, at)


def states(store: Store, branch_id: str) -> list[CatalogState]:
    """Oldest first."""
    return sorted(store.find_by(CatalogState, "branch_id", branch_id), key=lambda state: state.at)


def catalog_at(store: Store, branch_id: str, moment: datetime | None) -> list[Role | Database]:
    """What the branch had at the moment; what it has, without one."""
    current: list[Role | Database] = [
        *store.find_by(Role, "branch_id", branch_id),
        *store.find_by(Database, "branch_id", branch_id),
    ]
    if moment is None:
        return current
    earlier = [state for state in states(store, branch_id) if state.at <= moment]
    if not earlier:
        return [entity for entity in current if entity.created_at <= moment]
    last = earlier[-1]
    return [*(Role(**role) for role in last.roles), *(Database(**database) for database in last.databases)]


def replace_catalog(store: Store, branch_id: str, entities: Sequence[Role | Database]) -> None:
    """Gives the branch these roles and databases instead of its own."""
    with store.transaction():
        for kind in (Role, Database):
            for entity in store.find_by(kind, "branch_id", branch_id):
                store.remove(entity)
        for entity in entities:
            store.put(replace(entity, id=f"{branch_id}/{entity.name}", branch_id=branch_id))


def replace_history(store: Store, branch_id: str, history: Sequence[CatalogState]) -> None:
    with store.transaction():
        for state in states(store, branch_id):
            store.remove(state)
        for state in history:
            store.put(replace(state, id=str(uuid.uuid4()), branch_id=branch_id))


def history_until(store: Store, branch_id: str, moment: datetime | None) -> list[CatalogState]:
    return [state for state in states(store, branch_id) if moment is None or state.at <= moment]


def revived(catalog: dict[str, list[dict[str, Any]]]) -> list[Role | Database]:
    """From what a snapshot or a job keeps."""
    return [
        *(Role(**role) for role in catalog["roles"]),
        *(Database(**database) for database in catalog["databases"]),
    ]


def kept(entities: Sequence[Role | Database]) -> dict[str, list[dict[str, Any]]]:
    """In the form that a snapshot or a job keeps."""
    return {
        "roles": [asdict(entity) for entity in entities if isinstance(entity, Role)],
        "databases": [asdict(entity) for entity in entities if isinstance(entity, Database)],
    }
