"""What one cycle remembers of a project for the next: enough to see that something was changed in between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backups.neon.schedules import ScheduleItem
from backups.neon.snapshots import Snapshot
from backups.neon.types import Branch
from backups.neon.wire import parse_time
from backups.services.monitor.facts import NeonFacts

VERSION = 1


@dataclass(frozen=True, slots=True)
class KnownBranch:
    """A branch as it was seen."""

    name: str
    is_protected: bool | None
    is_default: bool | None
    is_root: bool
    last_reset_at: dt.datetime | None
    expires_at: dt.datetime | None
    restored_from: str
    created_at: dt.datetime | None

    @classmethod
    def of(cls, branch: Branch) -> KnownBranch:
        return cls(
            name=branch.name,
            is_protected=branch.protected,
            is_default=branch.default,
            is_root=branch.is_root,
            last_reset_at=branch.last_reset_at,
            expires_at=branch.expires_at,
            restored_from=branch.restored_from or "",
            created_at=branch.created_at,
        )


@dataclass(frozen=True, slots=True)
class KnownSnapshot:
    """A snapshot as it was seen."""

    name: str
    source: str
    manual: bool | None
    created_at: dt.datetime | None
    expires_at: dt.datetime | None

    @classmethod
    def of(cls, snapshot: Snapshot) -> KnownSnapshot:
        return cls(
            name=snapshot.name,
            source=snapshot.source_branch_id or "",
            manual=snapshot.manual,
            created_at=snapshot.created_at,
            expires_at=snapshot.expires_at,
        )


@dataclass(frozen=True, slots=True)
class KnownSchedule:
    """A branch's schedule as it was seen, and since when it has been so as far as the monitor saw."""

    items: tuple[ScheduleItem, ...]
    since: dt.datetime


@dataclass(frozen=True, slots=True)
class Memory:
    """None: that part was never read, so nothing can be said to have changed in it."""

    at: dt.datetime | None = None
    history_seconds: int | None = None
    branches: Mapping[str, KnownBranch] | None = None
    snapshots: Mapping[str, KnownSnapshot] | None = None
    schedules: Mapping[str, KnownSchedule] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return {
            "v": VERSION,
            "history_seconds": self.history_seconds,
            "branches": _stored(self.branches),
            "snapshots": _stored(self.snapshots),
            "schedules": {
                key: {"items": [_plain(item) for item in known.items], "since": known.since.isoformat()}
                for key, known in self.schedules.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], at: dt.datetime | None) -> Memory:
        """What was stored; nothing where another version stored it."""
        if data.get("v") != VERSION:
            return cls()
        return cls(
            at=at,
            history_seconds=data["history_seconds"],
            branches=_read(data["branches"], _branch),
            snapshots=_read(data["snapshots"], _snapshot),
            schedules={key: _schedule(value) for key, value in data["schedules"].items()},
        )


def seen_now(before: Memory, facts: NeonFacts, now: dt.datetime) -> Memory:
    """What this look saw; a part that was not told stays as it was."""
    seen = replace(before, at=now)
    if facts.project.is_told:
        told = facts.project.get().history_retention_seconds
        seen = replace(seen, history_seconds=before.history_seconds if told is None else told)
    if facts.branches.is_told:
        seen = replace(seen, branches={each.id: KnownBranch.of(each) for each in facts.branches.get()})
    if facts.snapshots.is_told:
        seen = replace(seen, snapshots={each.id: KnownSnapshot.of(each) for each in facts.snapshots.get()})
    return replace(seen, schedules=_schedules(before, facts, now))


def _schedules(before: Memory, facts: NeonFacts, now: dt.datetime) -> dict[str, KnownSchedule]:
    found: dict[str, KnownSchedule] = {}
    for key, part in facts.schedules.items():
        known = before.schedules.get(key)
        if not part.is_told:
            found |= {key: known} if known else {}
            continue
        items = part.get()
        since = known.since if known is not None and known.items == items else now
        found[key] = KnownSchedule(items, since)
    return found


def _stored(known: Mapping[str, KnownBranch] | Mapping[str, KnownSnapshot] | None) -> dict[str, Any] | None:
    return None if known is None else {key: _plain(value) for key, value in known.items()}


def _plain(value: Any) -> dict[str, Any]:
    pairs = {name: getattr(value, name) for name in value.__slots__}
    return {name: each.isoformat() if isinstance(each, dt.datetime) else each for name, each in pairs.items()}


def _read(data: Mapping[str, Any] | None, build: Any) -> dict[str, Any] | None:
    return None if data is None else {key: build(value) for key, value in data.items()}


def _times(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return dict(data) | {name: parse_time(data[name]) if data[name] else None for name in names}


def _branch(data: Mapping[str, Any]) -> KnownBranch:
    return KnownBranch(**_times(data, "last_reset_at", "expires_at", "created_at"))


def _snapshot(data: Mapping[str, Any]) -> KnownSnapshot:
    return KnownSnapshot(**_times(data, "created_at", "expires_at"))


def _schedule(data: Mapping[str, Any]) -> KnownSchedule:
    since = parse_time(data["since"])
    if since is None:
        raise ValueError("a remembered schedule has a time")
    return KnownSchedule(tuple(ScheduleItem(**item) for item in data["items"]), since)
