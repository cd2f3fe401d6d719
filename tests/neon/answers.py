"""Answers and calls that the tests of the client share."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from backups.neon.client import NeonClient
from tests.neon.conftest import MAIN, PROJECT, Fake

OP = "11111111-2222-4333-8444-555555555555"
COPY = "br-copy-leaf-22222222"
SNAPSHOT = "snap-soft-rain-44444444"
ENDPOINT = "ep-fair-moon-33333333"
POINT = datetime(2026, 11, 22, 9, 30, 15, 250_000, tzinfo=UTC)


def branch(id: str = MAIN, name: str = "main", **fields: Any) -> dict[str, Any]:
    return {"id": id, "name": name} | fields


def changed(**fields: Any) -> dict[str, Any]:
    return {"branch": branch(), "operations": [{"id": OP, "status": "running"}]} | fields


def body(fake: Fake) -> Any:
    return json.loads(fake.requests[-1].content)


def params(fake: Fake, turn: int = -1) -> dict[str, str]:
    return dict(fake.requests[turn].url.params)


def restore(client: NeonClient, **point: Any) -> Any:
    return client.branches.restore(
        PROJECT, target_branch_id=MAIN, source_branch_id=COPY, preserve_under_name="before", **point
    )
