"""The accident of the demo and the proof of its repair, both read from the database itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from demo.traffic import Acknowledged

#: What somebody's clean-up script deletes by mistake: every third medication's log, with what refers to it.
_FORGET = """
    UPDATE notifications SET medication_log_id = NULL
    WHERE medication_log_id IN (
        SELECT id FROM medication_logs WHERE medication_id %% 3 = %(third)s AND id <= %(newest)s)"""
_DELETE = "DELETE FROM medication_logs WHERE medication_id %% 3 = %(third)s AND id <= %(newest)s"
_PRESENT = """
    SELECT count(*) FROM {} AS row
    JOIN unnest(%(ids)s::bigint[], %(times)s::timestamptz[]) AS wanted (id, at)
      ON row.id = wanted.id AND row.created_at = wanted.at"""
_CONTENT = """
    SELECT id, hashtextextended(log::text, 0), updated_at
    FROM medication_logs log WHERE medication_id %% 3 = %(third)s AND id <= %(newest)s"""
_TO_THE_NEXT_SECOND = "SELECT pg_sleep(1.005 - extract(milliseconds FROM clock_timestamp()) % 1000 / 1000)"
_COUNT = "SELECT count(*) FROM medication_logs WHERE medication_id %% 3 = %(third)s AND id <= %(newest)s"


@dataclass(frozen=True)
class Damage:
    """The last good moment, what was deleted after it, and a hash of each row as it was."""

    good_at: dt.datetime
    which: Mapping[str, int]
    rows: int
    content: Mapping[int, int]


def do_damage(dsn: str, *, third: int = 0) -> Damage:
    """Deletes the rows for good while others write. Returns what was lost, and the whole second before it.

    `third`: which of every three medications is hit. The script holds its table for up to a second, so that the rows
    at `good_at` are known exactly.
    """
    with psycopg.connect(dsn, autocommit=True) as connection, connection.transaction():
        connection.execute("LOCK TABLE medication_logs IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(_TO_THE_NEXT_SECOND)
        at = _one(connection, "SELECT date_trunc('second', clock_timestamp())")
        newest = _one(connection, "SELECT max(id) FROM medication_logs")
        which = {"newest": newest, "third": third}
        before = connection.execute(_CONTENT, which).fetchall()
        connection.execute(_FORGET, which)
        rows = connection.execute(_DELETE, which).rowcount
    content = {row_id: content for row_id, content, _ in before}
    return Damage(good_at=at, which=which, rows=rows, content=content)


def rows_there(dsn: str, damage: Damage) -> int:
    """How many of the deleted rows the database holds now."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return int(_one(connection, _COUNT, damage.which))


def not_as_before(dsn: str, damage: Damage, *, since: dt.datetime) -> int:
    """How many deleted rows are missing, or differ without having been written to after `since`."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute(_CONTENT, damage.which).fetchall()
    good = {row_id for row_id, content, at in rows if damage.content.get(row_id) == content or at >= since}
    return len(damage.content.keys() - good)


def still_there(dsn: str, rows: list[Acknowledged]) -> int:
    """How many of these confirmed inserts the database holds now."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return sum(_found(connection, table, rows) for table in {row.table for row in rows})


def _found(connection: psycopg.Connection, table: str, rows: list[Acknowledged]) -> int:
    wanted = [row for row in rows if row.table == table]
    counted = connection.execute(
        sql.SQL(_PRESENT).format(sql.Identifier(table)),
        {"ids": [row.id for row in wanted], "times": [row.row_at for row in wanted]},
    ).fetchone()
    return int(counted[0]) if counted else 0


def inserts_between(rows: list[Acknowledged], after: dt.datetime, until: dt.datetime) -> list[Acknowledged]:
    """Confirmed inserts whose own time lies in (after, until]."""
    return [row for row in rows if row.action == "insert" and after < dt.datetime.fromisoformat(row.row_at) <= until]


def _one(connection: psycopg.Connection, statement: LiteralString, parameters: Mapping[str, Any] | None = None) -> Any:
    row = connection.execute(statement, parameters).fetchone()
    return row[0] if row else None
