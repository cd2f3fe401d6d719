"""Where Neon's published description is wrong or older than the service.

Each correction says what is so, how it is known, and gives an example that the description as published judges
wrongly. When a newer description learns of it, a test fails and the entry goes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neon_sandbox.traffic import Exchange
from tests.openapi.description import Schema

APPEND = "+"
_NEWER_TYPES = "types of npm @neon/sdk 6.1.2, made from a later description"
_PROJECT = "/projects/calm-river-12345678"
_BRANCH = f"{_PROJECT}/branches/br-calm-river-12345678"


@dataclass(frozen=True)
class Asked:
    """A call that a client makes."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Correction:
    """At `place` in the description stands `value`; a last part APPEND makes it the newest of a list.

    `example` is right, and wrong by the description as published; with `refuses` it is the other way round.
    """

    what: str
    source: str
    place: tuple[str, ...]
    value: Any
    example: Asked | Exchange
    refuses: bool = False


def _schedule(item: str) -> Asked:
    return Asked("PUT", f"{_BRANCH}/backup_schedule", body=f'{{"schedule": [{item}]}}')


CORRECTIONS: Sequence[Correction] = (
    Correction(
        "a snapshot has a slug",
        _NEWER_TYPES,
        ("components", "schemas", "Snapshot", "properties", "slug"),
        {"type": "string", "pattern": "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"},
        Exchange(
            "PATCH",
            f"{_PROJECT}/snapshots/snap-calm-river-12345678",
            200,
            content_type="application/json",
            body='{"snapshot": {"id": "snap-calm-river-12345678", "name": "before", "slug": "before", '
            '"created_at": "2026-11-22T10:00:00Z"}}',
        ),
    ),
    Correction(
        "whoever takes a snapshot may choose its slug",
        f"{_NEWER_TYPES}; neon 6.2.3 sends it",
        ("paths", "/projects/{project_id}/branches/{branch_id}/snapshot", "post", "parameters", APPEND),
        {"name": "slug", "in": "query", "schema": {"type": "string", "pattern": "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"}},
        Asked("POST", f"{_BRANCH}/snapshot", {"slug": "before"}),
    ),
    Correction(
        "the expiry of a snapshot can be changed and taken away",
        f"{_NEWER_TYPES}; neon 6.2.3 sends it",
        ("components", "schemas", "SnapshotUpdateRequest", "properties", "snapshot", "properties", "expires_at"),
        {"type": "string", "format": "date-time", "nullable": True},
        Asked("PATCH", f"{_PROJECT}/snapshots/snap-calm-river-12345678", body='{"snapshot": {"expires_at": null}}'),
    ),
    Correction(
        "there are no hourly and no yearly schedules",
        f"Neon's staff, July 2026; {_NEWER_TYPES}",
        ("components", "schemas", "BackupScheduleItem", "properties", "frequency", "enum"),
        ["daily", "weekly", "monthly"],
        _schedule('{"frequency": "hourly", "hour": 2}'),
        refuses=True,
    ),
    Correction(
        "a schedule needs its hour",
        "Neon's documentation of backup schedules, August 2026",
        ("components", "schemas", "BackupScheduleItem", "required"),
        ["frequency", "hour"],
        _schedule('{"frequency": "daily"}'),
        refuses=True,
    ),
    Correction(
        "a scheduled snapshot is kept for 35 days at most",
        f"{_NEWER_TYPES}; Neon's documentation of backup schedules, August 2026",
        ("components", "schemas", "BackupScheduleItem", "properties", "retention_seconds", "maximum"),
        3_024_000,
        _schedule('{"frequency": "daily", "hour": 2, "retention_seconds": 3024001}'),
        refuses=True,
    ),
)


def corrected(published: Schema, corrections: Sequence[Correction] = CORRECTIONS) -> Schema:
    """A copy of the description with these corrections."""
    made = copy.deepcopy(published)
    for correction in corrections:
        place: Any = made
        for part in correction.place[:-1]:
            place = place[part]
        if correction.place[-1] == APPEND:
            place.append(correction.value)
        else:
            place[correction.place[-1]] = correction.value
    return made
