"""What a restore would take away and bring back: the state at the point against the state now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from backups.verification.dsn import Dsn
from backups.verification.results import Unknown


@dataclass(frozen=True, slots=True)
class TableLoss:
    """One table. None for a count: the table is not there on that side. Lost and back are "at least" figures."""

    table: str
    rows_at_point: int | Unknown | None
    rows_now: int | Unknown | None
    rows_lost: int | Unknown  # written since the point, not there then
    rows_reverted: int | Unknown  # changed since the point; go back to their old content
    rows_back: int | Unknown  # there at the point, gone now
    counted_by: str  # "key", "time column", "estimate" or "nothing"


@dataclass(frozen=True, slots=True)
class LossPreview:
    """The observed part of the decision packet, for one database."""

    tables: tuple[TableLoss, ...]
    tables_only_at_point: tuple[str, ...]
    tables_only_now: tuple[str, ...]
    columns_only_at_point: tuple[str, ...]  # schema.table.column
    columns_only_now: tuple[str, ...]
    migration_head_at_point: str | Unknown
    migration_head_now: str | Unknown

    @property
    def unfinished(self) -> bool:
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LossPreview:
        raise NotImplementedError


def compare_point_with_now(
    point: Dsn,
    now: Dsn,
    *,
    point_at: dt.datetime | None,
    budget_seconds: float = 8.0,
    table_budget_seconds: float = 3.0,
    previous: LossPreview | None = None,
) -> LossPreview:
    """Compares a copy at the point with the live branch, table by table; `previous` resumes.

    Reads only, each table in one snapshot. Raises DatabaseUnreachable.
    """
    raise NotImplementedError
