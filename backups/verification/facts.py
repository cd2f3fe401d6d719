"""What was read from one database, and how it is kept as JSON. An unknown is written as unknown, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from backups.verification.results import Unknown


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """A column of times. `newest` is read only where a time says when a row was written: ISO 8601, None: no row."""

    name: str
    has_zone: bool
    records_writes: bool
    newest: str | Unknown | None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table. `rows_exact` is false when `rows` is the planner's estimate. `key` empty: rows can't be named."""

    name: str
    rows: int | Unknown
    rows_exact: bool
    size_bytes: int
    columns: tuple[str, ...]
    key: tuple[str, ...]
    time_columns: tuple[TimeColumn, ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TableFacts:
        times = tuple(TimeColumn(**column | {"newest": restored(column["newest"])}) for column in data["time_columns"])
        lists = {"columns": tuple(data["columns"]), "key": tuple(data["key"]), "time_columns": times}
        return cls(**data | lists | {"rows": restored(data["rows"])})


@dataclass(frozen=True, slots=True)
class SequenceFacts:
    """A sequence that fills a column; `largest` is the largest number in that column, None when it is empty."""

    name: str
    column: str
    next_value: int | Unknown
    largest: int | Unknown | None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SequenceFacts:
        return cls(**{name: restored(value) for name, value in data.items()})


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What was found in one database. `sessions`: open client sessions by application, without ours and Neon's own."""

    database: str
    read_at: str
    server_version: str
    head_lsn: str | Unknown
    size_bytes: int | Unknown
    migration_head: str | Unknown
    tables: tuple[TableFacts, ...]
    sequences: tuple[SequenceFacts, ...] | Unknown
    extensions: tuple[str, ...]
    sessions: dict[str, int] | Unknown

    @property
    def unfinished(self) -> bool:
        """True when a further call with `previous=` would find out more."""
        return any(may_be_retried(table.rows) for table in self.tables) or may_be_retried(self.sequences)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = as_json(self)
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DatabaseFacts:
        plain = {name: restored(value) for name, value in data.items()}
        sequences = plain["sequences"]
        if not isinstance(sequences, Unknown):
            sequences = tuple(SequenceFacts.from_json(one) for one in sequences)
        tables = tuple(TableFacts.from_json(one) for one in plain["tables"])
        return cls(**plain | {"tables": tables, "sequences": sequences, "extensions": tuple(plain["extensions"])})


@dataclass(frozen=True, slots=True)
class MomentFacts:
    """The short form for a look at a past moment. `newest_row_at`: ISO 8601, None when no table carries such a time."""

    database: str
    rows: dict[str, int | Unknown]
    newest_row_at: str | Unknown | None
    newest_row_table: str | None
    migration_head: str | Unknown

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = as_json(self)
        return data


def may_be_retried(value: object) -> bool:
    return isinstance(value, Unknown) and value.retry


def as_json(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists, an Unknown as `{"unknown": reason, "retry": ...}`."""
    if isinstance(value, Unknown):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    return value


def restored(value: Any) -> Any:
    """An Unknown again, where JSON holds one; anything else as it is."""
    if isinstance(value, dict) and value.keys() == {"unknown", "retry"}:
        return Unknown(value["unknown"], retry=value["retry"])
    return value
