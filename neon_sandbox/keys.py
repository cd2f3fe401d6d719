from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace

from neon_sandbox import times
from neon_sandbox.entities import Key
from neon_sandbox.store import Store

KINDS = ("personal", "organisation", "project")


def new_key() -> str:
    return f"napi_{secrets.token_hex(24)}"


def add_key(store: Store, key: str, *, label: str, kind: str, project_id: str | None = None) -> Key:
    entity = Key(id=_digest(key), label=label, kind=kind, created_at=times.now(), project_id=project_id)
    store.put(entity)
    return entity


def key_of(store: Store, authorization: str) -> Key | None:
    """The key of an Authorization header, revoked ones included."""
    scheme, _, key = authorization.partition(" ")
    return store.get(Key, _digest(key.strip())) if scheme.lower() == "bearer" else None


def revoke(store: Store, key: Key) -> None:
    store.put(replace(key, revoked_at=times.now()))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
