"""The auditor's list of events, long: the whole page, through Django's test client, as Dana.

Part of ledger_stored_bench, which fills the database. The page is that of the portal as it runs: its middleware, its
templates, its event of the reading, and the web role's connection; without gunicorn and without a network.
"""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

LOADS = 20
GOAL_SECONDS = 0.15


def browser() -> Any:
    """Dana's."""
    from django.test import Client

    from tests.factories import person

    client = Client()
    client.force_login(person("dana").user)
    return client


def figures(client: Any, small: float, *, count: int) -> Iterator[dict[str, Any]]:
    """One for each question. `small`: p95 of the unfiltered list when there were few events."""
    for name, asked in _questions().items():
        yield _figure(name, p95(client, asked), small, count)


def _questions() -> dict[str, dict[str, str]]:
    now = dt.datetime.now(dt.UTC)
    day = {f"recorded_{end}": f"{now - dt.timedelta(days=days):%Y-%m-%d}" for end, days in (("from", 101), ("to", 100))}
    deep = now - dt.timedelta(days=200)
    return {
        "all events": {},
        "a page far down": {"older": f"{deep:%Y-%m-%dT%H:%M:%S.%fZ}_{UUID(int=0)}"},
        "a person": {"actor_ref": "user:3"},
        "a role at that time": {"role": "auditor"},
        "a kind of target": {"target_kind": "project"},
        "one target": {"target_kind": "restore_request", "target_id": "R-77"},
        "a type": {"type": "neon.call"},
        "a family of types": {"type": "request."},
        "an outcome": {"outcome": "denied"},
        "a world": {"world": "sandbox"},
        "two days": day,
        "a run": {"correlation": "R-77"},
        "a web request": {"web_request": str(UUID(int=7))},
        "an id, searched for": {"q": "R-77"},
        "a word that is nowhere": {"q": "nothing-like-it"},
        "person and type": {"actor_ref": "user:3", "type": "request.voted"},
        "person and type that never meet": {"actor_ref": "user:3", "type": "neon.call"},
        "role and family that never meet": {"role": "auditor", "type": "neon."},
        "kind, family and outcome that never meet": {
            "target_kind": "account", "type": "request.", "outcome": "denied",
        },
        "role, family and outcome": {"role": "manager", "type": "request.", "outcome": "failure"},
        "person, days, evidence": day | {"actor_ref": "user:3", "world": "real"},
    }  # fmt: skip


def p95(client: Any, asked: dict[str, str]) -> float:
    """Of LOADS loads of the page after a first one, in seconds."""
    _load(client, asked)
    times = sorted(_load(client, asked) for _ in range(LOADS))
    return times[math.ceil(LOADS * 0.95) - 1]


def _load(client: Any, asked: dict[str, str]) -> float:
    from django.urls import reverse

    began = time.monotonic()
    answer = client.get(reverse("admin:backups_ledgerevent_changelist"), asked)
    seconds = time.monotonic() - began
    if answer.status_code != 200:
        raise AssertionError(f"{asked}: {answer.status_code}")
    return seconds


def _figure(name: str, value: float, small: float, count: int) -> dict[str, Any]:
    return {
        "bench": f"ledger list of {count} events: {name} (p95)",
        "value": round(value, 4),
        "unit": "s",
        "against": f"all events where there were few: {small:.4f} s",
        "ratio": round(value / small, 2),
        "goal": GOAL_SECONDS,
        "met": value <= GOAL_SECONDS,
    }
