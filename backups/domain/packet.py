"""The facts that people vote on, and the digest that a vote names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypedDict


@dataclass(frozen=True, slots=True)
class BoundFacts:
    """What makes the digest; any change voids the votes. All text, sorted, so that equal facts have equal bytes."""

    request: str
    revision: int
    project_id: str
    branch_id: str
    branch_name: str
    source_branch_id: str
    kind: str
    point_kind: str
    point: str
    preserve_name: str
    databases: tuple[str, ...]
    children: tuple[str, ...]
    environment: str
    policy_version: int
    votes_needed: int
    snapshot_name: str = ""
    snapshot_at: str = ""
    snapshot_mode: str = ""

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON values."""
        data = {name: value for name, value in asdict(self).items() if value or name not in _OF_SNAPSHOTS}
        return data | {"databases": sorted(self.databases), "children": sorted(self.children)}

    def digest(self) -> str:
        """`sha256:` and the hex digest of the canonical bytes (RFC 8785: these facts hold no floats)."""
        return "sha256:" + hashlib.sha256(canonical_text(self.to_json()).encode()).hexdigest()


def canonical_text(data: Mapping[str, Any]) -> str:
    """Sorted keys, no spaces, UTF-8: equal to RFC 8785 for text, integers, lists and ASCII keys."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


#: Only a restore from a snapshot has these; where they are empty they are no part of the digest.
_OF_SNAPSHOTS = frozenset({"snapshot_name", "snapshot_at", "snapshot_mode"})
#: Facts that name the packet itself, not the world: a new revision alone is no drift.
_OWN_NAMES = frozenset({"request", "revision", "votes_needed"})


def drifted(agreed: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names of the bound facts that differ between what was agreed and what is so now."""
    names = (set(agreed) | set(now)) - _OWN_NAMES
    return sorted(name for name in names if agreed.get(name) != now.get(name))


class Unknown(TypedDict):
    """A fact that could not be read. It is shown as unknown with its reason, never as zero or as fine."""

    what: str  # "table counts now", in words that a page can print
    why: str


class TableFacts(TypedDict):
    """One table at the restore point and now. None in a number means unknown; `unknown` then says why."""

    database: str
    table: str  # "schema.table"
    at_point: int | None  # rows on the copy; None also when the table is not there (see SchemaFacts)
    now: int | None
    lost_at_least: int | None  # rows that were not there at the point
    back_at_least: int | None  # rows of the point that are gone now
    changed_at_least: int | None  # rows there on both sides whose content goes back
    counted_by: str  # "rows", "keys", "time column", "presence" (on one side only) or "nothing"
    unknown: str | None
    meaning: str  # plain words given by an administrator, "doses given"; may be empty
    patient_safety: bool


class SchemaFacts(TypedDict):
    """What is on one side only. Tables are "database/schema.table", columns "database/schema.table.column"."""

    tables_only_now: list[str]  # will vanish
    columns_only_now: list[str]
    tables_only_then: list[str]  # will come back
    columns_only_then: list[str]


class MigrationHead(TypedDict):
    """The newest applied migration on each side, "backups.0042_doses"; None: no known migration table, or unread."""

    then: str | None
    now: str | None


class Sessions(TypedDict):
    """Clients connected to the branch, the portal's own left out. `count` None means unknown."""

    count: int | None
    by_application: dict[str, int]


class Sizes(TypedDict):
    branch_bytes: int | None


class RootBranches(TypedDict):
    """How many of the plan's root branches are used. A restore in place with its undo needs two more."""

    used: int | None
    cap: int | None


class RehearsalCheck(TypedDict):
    code: str
    title: str
    outcome: str  # a CheckOutcome
    sentence: str


class Rehearsal(TypedDict):
    """The checks that follow a restore, run on the copy beforehand."""

    outcome: str | None  # a CheckOutcome; None: not run, the reason is in `unknown`
    checks: list[RehearsalCheck]
    ready_seconds: float | None  # from asking Neon for the copy to its first answer
    checked_seconds: float | None


class ObservedFacts(TypedDict):
    """What was seen while the packet was made, as stored in DecisionPacket.observed. Informs; never voids a vote."""

    as_of: str  # UTC, RFC 3339
    tables: list[TableFacts]  # patient-safety tables first, then those with a meaning, then by rows lost
    schema: SchemaFacts
    migration_head: MigrationHead
    sessions: Sessions
    sizes: Sizes
    history_left_seconds: int | None  # until the point leaves Neon's history window
    root_branches: RootBranches
    head_lsn: str | None
    rehearsal: Rehearsal
    unknown: list[Unknown]


def nothing_observed(as_of: str) -> ObservedFacts:
    """Observed facts of which nothing has been read yet: every number is unknown, none is zero."""
    return {
        "as_of": as_of,
        "tables": [],
        "schema": {"tables_only_now": [], "columns_only_now": [], "tables_only_then": [], "columns_only_then": []},
        "migration_head": {"then": None, "now": None},
        "sessions": {"count": None, "by_application": {}},
        "sizes": {"branch_bytes": None},
        "history_left_seconds": None,
        "root_branches": {"used": None, "cap": None},
        "head_lsn": None,
        "rehearsal": {"outcome": None, "checks": [], "ready_seconds": None, "checked_seconds": None},
        "unknown": [],
    }
