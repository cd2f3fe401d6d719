"""Facts of one database, read without changing anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backups.verification.dsn import Dsn
from backups.verification.results import Unknown


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """A column that carries a time. `records_writes`: filled when a row is written (created_at, updated_at, ...)."""

    name: str
    has_zone: bool
    records_writes: bool
    newest: str | Unknown | None  # ISO 8601, UTC


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table. `rows_exact` is false when `rows` is the planner's estimate."""

    name: str
    rows: int | Unknown
    rows_exact: bool
    size_bytes: int | Unknown
    columns: tuple[str, ...]
    key: tuple[str, ...]
    time_columns: tuple[TimeColumn, ...]


@dataclass(frozen=True, slots=True)
class SequenceFacts:
    name: str
    column: str
    next_value: int | Unknown
    largest: int | Unknown | None


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What was found in one database. Every unknown says why."""

    database: str
    read_at: str
    server_version: str
    head_lsn: str | Unknown
    size_bytes: int | Unknown
    migration_head: str | Unknown
    tables: tuple[TableFacts, ...]
    sequences: tuple[SequenceFacts, ...]
    extensions: tuple[str, ...]
    sessions: dict[str, int] | Unknown  # open sessions by application, without ours

    @property
    def unfinished(self) -> bool:
        """True when a further call with `previous=` would find out more."""
        return any(isinstance(t.rows, Unknown) and t.rows.retry for t in self.tables)

    def to_json(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DatabaseFacts:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class MomentFacts:
    """The short form for a look at a past moment."""

    database: str
    rows: dict[str, int | Unknown]
    newest_row_at: str | Unknown | None
    newest_row_table: str | None
    migration_head: str | Unknown

    def to_json(self) -> dict[str, Any]:
        raise NotImplementedError


def inspect_database(dsn: Dsn, *, budget_seconds: float = 8.0, previous: DatabaseFacts | None = None) -> DatabaseFacts:
    """Reads a database table by table. With `previous` it goes on where that one ran out of time.

    Raises DatabaseUnreachable.
    """
    raise NotImplementedError


def summarise_moment(dsn: Dsn, *, budget_seconds: float = 3.0) -> MomentFacts:
    """Row counts, newest row and migration head. Raises DatabaseUnreachable."""
    raise NotImplementedError
