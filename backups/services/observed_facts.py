"""Puts together what the preparation could read. What it could not read stays unknown, with the reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backups.domain.consequence import TABLES
from backups.domain.packet import (
    MigrationHead,
    ObservedFacts,
    Rehearsal,
    SchemaFacts,
    Sessions,
    TableFacts,
    Unknown,
    nothing_observed,
)
from backups.domain.restore import PointKind, rfc3339
from backups.models import RestoreRequest
from backups.selectors.project import Meaning
from backups.verification import DatabaseFacts, LossPreview, TableLoss
from backups.verification import Unknown as NotFound

NOT_READ = "it was not read in time"


@dataclass(slots=True)
class Parts:
    """What the steps found so far, per database where it has several; kept in the run's memory between tasks."""

    neon: dict[str, int | None] = field(default_factory=dict)
    live: dict[str, DatabaseFacts] = field(default_factory=dict)
    loss: dict[str, LossPreview] = field(default_factory=dict)
    rehearsal: Rehearsal | None = None
    unknown: list[Unknown] = field(default_factory=list)
    databases_only_now: list[str] = field(default_factory=list)
    databases_only_then: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Counts, names and times; never a row."""
        return {
            "neon": self.neon,
            "live": {name: facts.to_json() for name, facts in self.live.items()},
            "loss": {name: preview.to_json() for name, preview in self.loss.items()},
            "rehearsal": self.rehearsal,
            "unknown": self.unknown,
            "databases_only_now": self.databases_only_now,
            "databases_only_then": self.databases_only_then,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Parts:
        """What `to_json` wrote; an empty mapping gives empty parts."""
        return cls(
            neon=dict(data.get("neon", {})),
            live={name: DatabaseFacts.from_json(facts) for name, facts in data.get("live", {}).items()},
            loss={name: LossPreview.from_json(preview) for name, preview in data.get("loss", {}).items()},
            rehearsal=data.get("rehearsal"),
            unknown=list(data.get("unknown", [])),
            databases_only_now=list(data.get("databases_only_now", [])),
            databases_only_then=list(data.get("databases_only_then", [])),
        )

    def note_databases(self, *, then: set[str], now: set[str]) -> None:
        """Whole databases that a restore takes away or brings back."""
        self.databases_only_now, self.databases_only_then = sorted(now - then), sorted(then - now)

    def miss(self, what: str, why: str) -> None:
        """Notes an unknown once; the first reason is the one that counts."""
        if all(item["what"] != what for item in self.unknown):
            self.unknown.append({"what": what, "why": one_line(why)})


def one_line(text: str, limit: int = 300) -> str:
    """A reason as it is shown: one line without a full stop at its end."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def reason_of(error: Exception) -> str:
    """Why something could not be read, in words; some errors carry none."""
    return str(error) or "the time ended before the answer came"


def facts_from_neon(
    request: RestoreRequest, *, size_bytes: int | None, root_branches: int, now: dt.datetime
) -> dict[str, int | None]:
    """What the API tells without any database being opened."""
    return {
        "branch_bytes": size_bytes,
        "root_used": root_branches,
        "root_cap": request.branch.project.root_branch_cap,
        "history_left_seconds": history_left_seconds(request, now=now),
    }


def history_left_seconds(request: RestoreRequest, *, now: dt.datetime) -> int | None:
    """How long Neon can still go back to the point; None where the point has no time or the window is not known."""
    window = request.branch.project.history_retention_seconds
    if request.point_kind != PointKind.TIMESTAMP or request.point_at is None or window is None:
        return None
    return int((request.point_at + dt.timedelta(seconds=window) - now).total_seconds())


def assemble(
    parts: Parts, *, as_of: dt.datetime, databases: tuple[str, ...], meanings: Mapping[str, Meaning]
) -> ObservedFacts:
    """The observed facts of the packet. Every database of the branch is either told or unknown."""
    _miss_unread_databases(parts, databases)
    observed = nothing_observed(rfc3339(as_of))
    observed["tables"] = _tables(parts, databases, meanings)
    observed["schema"] = _schema(parts)
    observed["migration_head"] = _migration_head(parts)
    observed["sessions"] = _sessions(parts, databases)
    observed["sizes"] = {"branch_bytes": _size_bytes(parts, databases)}
    observed["history_left_seconds"] = parts.neon.get("history_left_seconds")
    observed["root_branches"] = {"used": parts.neon.get("root_used"), "cap": parts.neon.get("root_cap")}
    observed["head_lsn"] = _head_lsn(parts)
    observed["rehearsal"] = parts.rehearsal or observed["rehearsal"]
    if parts.rehearsal is None:
        parts.miss("rehearsal", NOT_READ)
    if observed["head_lsn"] is None:
        parts.miss("log position of the branch", NOT_READ)
    observed["unknown"] = parts.unknown
    return observed


def _miss_unread_databases(parts: Parts, databases: tuple[str, ...]) -> None:
    for name in databases:
        if name in parts.databases_only_now:
            parts.miss(f"{TABLES} of {name}", "this database is not on the copy at the point; all of it would go")
        elif name not in parts.loss and name not in parts.live:
            parts.miss(f"{TABLES} of {name}", NOT_READ)


def _tables(parts: Parts, databases: tuple[str, ...], meanings: Mapping[str, Meaning]) -> list[TableFacts]:
    rows: list[TableFacts] = []
    for name in databases:
        if name in parts.loss:
            rows += [_compared(name, table, meanings) for table in parts.loss[name].tables]
        elif name in parts.live:
            why = next((u["why"] for u in parts.unknown if u["what"].startswith(TABLES)), NOT_READ)
            rows += _only_now(name, parts.live[name], why, meanings)
    return sorted(rows, key=_importance)


def _importance(row: TableFacts) -> tuple[bool, bool, int, str, str]:
    return (not row["patient_safety"], not row["meaning"], -(row["lost_at_least"] or 0), row["database"], row["table"])


def _compared(database: str, loss: TableLoss, meanings: Mapping[str, Meaning]) -> TableFacts:
    numbers = (loss.rows_at_point, loss.rows_now, loss.rows_lost, loss.rows_back, loss.rows_reverted)
    meaning = meanings.get(loss.table, Meaning())
    return {
        "database": database,
        "table": loss.table,
        "at_point": known(loss.rows_at_point),
        "now": known(loss.rows_now),
        "lost_at_least": known(loss.rows_lost),
        "back_at_least": known(loss.rows_back),
        "changed_at_least": known(loss.rows_reverted),
        "counted_by": loss.counted_by.value,
        "unknown": next((one_line(n.reason) for n in numbers if isinstance(n, NotFound)), None),
        "meaning": meaning.text,
        "patient_safety": meaning.patient_safety,
    }


def _only_now(database: str, facts: DatabaseFacts, why: str, meanings: Mapping[str, Meaning]) -> list[TableFacts]:
    """Without the state at the point nothing can be said of what is lost: counts now, and the reason."""
    return [
        {
            "database": database,
            "table": table.name,
            "at_point": None,
            "now": known(table.rows) if table.rows_exact else None,
            "lost_at_least": None,
            "back_at_least": None,
            "changed_at_least": None,
            "counted_by": "nothing",
            "unknown": why,
            "meaning": meanings.get(table.name, Meaning()).text,
            "patient_safety": meanings.get(table.name, Meaning()).patient_safety,
        }
        for table in facts.tables
    ]


def _schema(parts: Parts) -> SchemaFacts:
    def named(attribute: str) -> list[str]:
        return sorted(f"{db}/{name}" for db, loss in parts.loss.items() for name in getattr(loss, attribute))

    return {
        "tables_only_now": [_whole(name) for name in parts.databases_only_now] + named("tables_only_now"),
        "columns_only_now": named("columns_only_now"),
        "tables_only_then": [_whole(name) for name in parts.databases_only_then] + named("tables_only_at_point"),
        "columns_only_then": named("columns_only_at_point"),
    }


def _whole(database: str) -> str:
    return f"{database} (the whole database)"


def _migration_head(parts: Parts) -> MigrationHead:
    """Of the first database that keeps migrations; a difference is worth more than an equal pair."""
    pairs = [
        (known(loss.migration_head_at_point), known(loss.migration_head_now))
        for loss in parts.loss.values()
        if known(loss.migration_head_at_point) or known(loss.migration_head_now)
    ]
    pairs += [
        (None, known(facts.migration_head))
        for name, facts in parts.live.items()
        if name not in parts.loss and known(facts.migration_head)
    ]
    then, now = next((pair for pair in pairs if pair[0] != pair[1]), pairs[0] if pairs else (None, None))
    return {"then": then, "now": now}


def _sessions(parts: Parts, databases: tuple[str, ...]) -> Sessions:
    total: dict[str, int] = {}
    for name in databases:
        found = parts.live[name].sessions if name in parts.live else NotFound(NOT_READ)
        if isinstance(found, NotFound):
            parts.miss("sessions", f"{name}: {found.reason}")
            return {"count": None, "by_application": {}}
        for application, count in found.items():
            total[application] = total.get(application, 0) + count
    if not databases:
        return {"count": None, "by_application": {}}
    return {"count": sum(total.values()), "by_application": total}


def _size_bytes(parts: Parts, databases: tuple[str, ...]) -> int | None:
    """What Neon says, or else what the databases themselves say, if all of them could be asked."""
    if parts.neon.get("branch_bytes") is not None:
        return parts.neon["branch_bytes"]
    sizes: list[int | None] = [known(parts.live[name].size_bytes) if name in parts.live else None for name in databases]
    read = [size for size in sizes if size is not None]
    if not read or len(read) < len(sizes):
        parts.miss("size of the branch", NOT_READ)
        return None
    return sum(read)


def _head_lsn(parts: Parts) -> str | None:
    return next((lsn for facts in parts.live.values() if (lsn := known(facts.head_lsn)) is not None), None)


def known(value: Any) -> Any:
    """None for an unknown."""
    return None if isinstance(value, NotFound) else value
