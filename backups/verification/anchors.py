"""What every other check of a live restore stands on: where the state at the point ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from psycopg import sql

from backups.verification.catalog import Table, read_tables
from backups.verification.connection import Snapshot, joined
from backups.verification.errors import NotReadable, OutOfTime
from backups.verification.xids import NEWEST, as_stored, is_later, xid_of_age

#: The first check of a live plan; its figures are the anchors.
CODE = "anchors"


@dataclass(frozen=True, slots=True)
class Anchors:
    """Read from the reference before anything is compared; complete when `unread` is empty.

    `boundary_xid`: one after the youngest xmin of all tables, 32 bits. `rows`: exact counts. `wrapped`: tables with ids
    that can't be compared. `refused`: tables that can't be read, with the reason. `newest_write_at`: the latest time
    that a row says it was written at. `xid_after_submission` is read from the branch: every id from it on was given
    out after the submission.
    """

    boundary_xid: int | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    wrapped: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    newest_write_at: str | None = None
    xid_after_submission: int | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Anchors:
        known = {name: data[name] for name in cls.__slots__ if name in data}
        return cls(**known | {name: tuple(known.get(name, ())) for name in ("unread", "wrapped")})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def boundary(self) -> int:
        """The boundary for queries. Raises ValueError while nothing has been read."""
        if self.boundary_xid is None:
            raise ValueError("the reference has not been read")
        return self.boundary_xid

    def newest_write(self) -> dt.datetime | None:
        return dt.datetime.fromisoformat(self.newest_write_at) if self.newest_write_at else None


def begin(snapshot: Snapshot) -> Anchors:
    """Nothing read yet. An empty database has the next id as its boundary."""
    tables = [table.label for table in read_tables(snapshot).values() if not table.is_unlogged]
    return Anchors(unread=tuple(tables))


def go_on(anchors: Anchors, snapshot: Snapshot) -> Anchors:
    """Reads further tables until all are read or the snapshot's budget ends."""
    tables = read_tables(snapshot)
    for label in anchors.unread:
        try:
            anchors = _with_table(anchors, snapshot, tables[label])
        except NotReadable as error:
            anchors = replace(anchors, refused={**anchors.refused, label: str(error)}, unread=anchors.unread[1:])
        except OutOfTime:
            return anchors
    if anchors.boundary_xid is not None:
        return anchors
    next_xid = snapshot.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    return replace(anchors, boundary_xid=as_stored(next_xid))


def _with_table(anchors: Anchors, snapshot: Snapshot, table: Table) -> Anchors:
    rows, wrapped, youngest_age, age_of_three, newest = snapshot.row(_newest(table))
    boundary = anchors.boundary_xid
    if youngest_age is not None:
        after = as_stored(xid_of_age(youngest_age, age_of_three) + 1)
        boundary = after if boundary is None or is_later(after, boundary) else boundary
    seen = [moment for moment in (newest, anchors.newest_write()) if moment is not None]
    return replace(
        anchors,
        boundary_xid=boundary,
        rows={**anchors.rows, table.label: rows},
        unread=anchors.unread[1:],
        wrapped=(*anchors.wrapped, table.label) if wrapped else anchors.wrapped,
        newest_write_at=max(seen).isoformat() if seen else None,
    )


def _newest(table: Table) -> sql.Composed:
    zoned = [sql.Identifier(column.name) for column in table.write_times() if column.has_zone]
    maxima = [sql.SQL("max({0}) FILTER (WHERE {0} <= clock_timestamp())").format(name) for name in zoned]
    newest = sql.SQL("greatest({})").format(joined(maxima, ", ")) if maxima else sql.SQL("NULL::timestamptz")
    return sql.SQL("SELECT {}, {} FROM ONLY {}").format(sql.SQL(NEWEST), newest, table.identifier)
