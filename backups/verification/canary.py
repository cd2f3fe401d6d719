"""The canary: one numbered row without any patient's data in a table of its own, written about once a minute.

A copy at T must hold the last one written before T and none written after it. That proves that T was honoured, and
the age of that row at T is how much could have been lost at most.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from backups.verification.connection import Watchdog, connect, named_errors
from backups.verification.dsn import Dsn
from backups.verification.errors import NotReadable, OutOfTime

SCHEMA = "ops_canary"
TABLE = f"{SCHEMA}.beat"
#: A source is never made to wait for us, nor we for it.
STATEMENT_TIMEOUT_MS = 2000
LOCK_TIMEOUT_MS = 1000
PRUNED_TOGETHER = 500
CUT_AFTER_SECONDS = 15.0
#: A beat commits at most this long after the time that it carries: its statement may take two seconds.
COMMIT_MARGIN = dt.timedelta(seconds=3)
_NO_RIGHT = f"the role may not use {TABLE}: grant it CREATE on the database, or the schema {SCHEMA} and what is in it"
_READ_AROUND = dt.timedelta(hours=1)

_ENSURE = (
    f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
    f"""CREATE TABLE IF NOT EXISTS {TABLE} (
        number bigint PRIMARY KEY, written_at timestamptz NOT NULL DEFAULT clock_timestamp())""",
    f"COMMENT ON TABLE {TABLE} IS 'One row a minute by CareCircle Ops: proves what a recovery brought back. No data.'",
)
# clock_timestamp(): when it was written, not when its transaction began.
_WRITE = f"""
    INSERT INTO {TABLE} (number, written_at)
    SELECT greatest(coalesce(max(number), 0), %s) + 1, clock_timestamp() FROM {TABLE}
    RETURNING number, written_at"""  # noqa: S608 - constants
_PRUNE = f"""
    DELETE FROM {TABLE} WHERE number IN (
        SELECT number FROM {TABLE} WHERE written_at < clock_timestamp() - %s ORDER BY number LIMIT %s)"""  # noqa: S608
_READ = f"""
    (SELECT number, written_at FROM {TABLE} WHERE written_at <= %(until)s ORDER BY written_at DESC LIMIT 120)
    UNION (SELECT number, written_at FROM {TABLE} ORDER BY number DESC LIMIT 120)
    ORDER BY 2, 1"""  # noqa: S608


@dataclass(frozen=True, slots=True, order=True)
class Beat:
    """One canary. `written_at` is by the clock of the database that holds it."""

    number: int
    written_at: dt.datetime


def ensure_canary(dsn: Dsn) -> None:
    """Makes schema and table where they are missing. Raises DatabaseUnreachable, OutOfTime, NotReadable (no right to
    make them, or a lock in the way); nothing is half done then."""
    with _connection(dsn) as connection, _short_transaction(connection):
        if not _has_table(connection):
            for statement in _ENSURE:
                connection.execute(statement)


def write_beat(dsn: Dsn, *, after_number: int = 0, keep: dt.timedelta | None = None) -> Beat:
    """Writes one row, numbered one above the table's last and above `after_number`, and prunes old ones.

    `after_number`: the last number that the portal gave out, so that none comes twice after a restore went back.
    `keep`: rows older than this are removed, at most 500 a call. Raises DatabaseUnreachable, OutOfTime, NotReadable.
    After an exception the row may or may not be there; a beat nobody knows of does no harm.
    """
    with _connection(dsn) as connection:
        with _short_transaction(connection):
            (row,) = connection.execute(_WRITE, [after_number]).fetchall()
        if keep is not None:
            # The beat is what matters: pruning that has to wait is left for the next minute.
            with suppress(OutOfTime, NotReadable), _short_transaction(connection):
                connection.execute(_PRUNE, [keep, PRUNED_TOGETHER])
    return Beat(*row)


def read_beats(dsn: Dsn, around: dt.datetime) -> list[Beat] | None:
    """The canaries of a database just before a moment, and its newest ones. None: it has no such table.

    Raises DatabaseUnreachable, OutOfTime, NotReadable.
    """
    with _connection(dsn) as connection, _short_transaction(connection, read_only=True):
        if not _has_table(connection):
            return None
        return [Beat(*row) for row in connection.execute(_READ, {"until": around})]


def _has_table(connection: psycopg.Connection[TupleRow]) -> bool:
    return connection.execute("SELECT pg_catalog.to_regclass(%s)", [TABLE]).fetchone() != (None,)


@contextmanager
def _connection(dsn: Dsn) -> Iterator[psycopg.Connection[TupleRow]]:
    connection = connect(dsn)
    watchdog = Watchdog(connection, CUT_AFTER_SECONDS)
    try:
        yield connection
    finally:
        watchdog.end()
        connection.close()


@contextmanager
def _short_transaction(connection: psycopg.Connection[TupleRow], *, read_only: bool = False) -> Iterator[None]:
    with named_errors(), connection.transaction():
        # LOCAL: behind a pooler the session goes on to somebody else.
        connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
        connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        connection.execute("SET LOCAL timezone = 'UTC'")
        if read_only:
            connection.execute("SET LOCAL transaction_read_only = on")
        try:
            yield
        except psycopg.errors.InsufficientPrivilege:
            raise NotReadable(_NO_RIGHT) from None
        except psycopg.errors.ReadOnlySqlTransaction:
            raise NotReadable("the server only reads, so no canary can be written to it") from None


def known_around(beats: Iterable[Beat], point_at: dt.datetime) -> tuple[Beat, ...]:
    """Those of the beats that matter for a drill to this point: an hour to each side, and the last before it."""
    all_beats = sorted(beats, key=lambda beat: beat.written_at)
    near = [beat for beat in all_beats if abs(beat.written_at - point_at) <= _READ_AROUND]
    before = [beat for beat in all_beats if beat.written_at <= point_at]
    return tuple(sorted({*near, *before[-1:]}))
