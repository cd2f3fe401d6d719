"""What a restore takes away and brings back: the figures and their meaning. preview.py reads them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from backups.verification.facts import as_json, may_be_retried, restored
from backups.verification.results import Unknown


class CountedBy(StrEnum):
    """How the losses of a table were found."""

    ROWS = "rows"  # every row of both sides was compared by hash
    KEYS = "keys"  # the columns differ, so rows were compared by their keys
    TIME_COLUMN = "time column"  # too large: only rows that say they were made after the point
    PRESENCE = "presence"  # the table is on one side only
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class TableLoss:
    """One table. None as a count: the table is not on that side.

    `rows_lost`: there now, not at the point. `rows_reverted`: changed since, would go back to their old content.
    `rows_back`: there at the point, gone now. Clients go on writing, so each is "at least".
    """

    table: str
    rows_at_point: int | Unknown | None
    rows_now: int | Unknown | None
    rows_lost: int | Unknown
    rows_reverted: int | Unknown
    rows_back: int | Unknown
    counted_by: CountedBy

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TableLoss:
        plain = {name: restored(value) for name, value in data.items()}
        return cls(**plain | {"counted_by": CountedBy(data["counted_by"])})

    @classmethod
    def unread(cls, table: str, why: Unknown) -> TableLoss:
        return cls(table, why, why, why, why, why, CountedBy.NOTHING)


@dataclass(frozen=True, slots=True)
class LossPreview:
    """The observed facts of a decision packet, for one database. Columns are named `schema.table.column`."""

    tables: tuple[TableLoss, ...]
    tables_only_at_point: tuple[str, ...]
    tables_only_now: tuple[str, ...]
    columns_only_at_point: tuple[str, ...]
    columns_only_now: tuple[str, ...]
    migration_head_at_point: str | Unknown
    migration_head_now: str | Unknown

    @property
    def unfinished(self) -> bool:
        """True when a further call with `previous=` would find out more."""
        return any(may_be_retried(table.rows_lost) for table in self.tables)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = as_json(self)
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LossPreview:
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else restored(value) for name, value in data.items()
        }
        return cls(**plain | {"tables": tuple(TableLoss.from_json(one) for one in data["tables"])})
