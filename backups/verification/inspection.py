"""Reads the facts of one database, table by table, without changing anything."""

from __future__ import annotations

import datetime as dt

from psycopg import sql

from backups.verification.catalog import Column, Table, read_tables
from backups.verification.connection import APPLICATION_NAME, Budget, Snapshot, open_snapshot
from backups.verification.dsn import Dsn
from backups.verification.errors import NotReadable, OutOfTime
from backups.verification.facts import (
    DatabaseFacts,
    MomentFacts,
    SequenceFacts,
    TableFacts,
    TimeColumn,
    may_be_retried,
)
from backups.verification.migrations import read_migration_head
from backups.verification.results import Unknown
from backups.verification.sequences import read_sequences

TABLE_BUDGET_SECONDS = 3.0
#: Above this size a table is not counted: reading it all would push what the application needs out of memory.
LARGEST_COUNTED_BYTES = 4 * 1024**3
_LATE = Unknown("the time ended before this table was read", retry=True)
# What Neon itself runs beside the customer's sessions.
_NEON_APPLICATIONS = ["compute_ctl%", "postgres-exporter%", "postgres_exporter%", "sql_exporter%", "vm-monitor%"]

_BASICS = """
    SELECT pg_catalog.current_database(), pg_catalog.current_setting('server_version'), pg_catalog.clock_timestamp(),
           pg_catalog.pg_database_size(pg_catalog.current_database()),
           CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_insert_lsn() END::text"""
_SESSIONS = """
    SELECT left(coalesce(nullif(application_name, ''), 'unnamed'), 60), count(*)
    FROM pg_catalog.pg_stat_activity
    WHERE backend_type = 'client backend' AND datname = pg_catalog.current_database()
      AND application_name <> {ours} AND application_name NOT LIKE ALL ({neons})
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20"""
_EXTENSIONS = "SELECT extname || ' ' || extversion FROM pg_catalog.pg_extension ORDER BY 1"


def inspect_database(dsn: Dsn, *, budget_seconds: float = 8.0, previous: DatabaseFacts | None = None) -> DatabaseFacts:
    """Reads a database table by table. With `previous` it goes on where that one ran out of time.

    Raises DatabaseUnreachable; OutOfTime when not even the list of tables came.
    """
    with open_snapshot(dsn, Budget(budget_seconds)) as snapshot:
        database, version, read_at, size_bytes, lsn = _basics(snapshot)
        tables = read_tables(snapshot)
        head = read_migration_head(snapshot, tables)
        sessions, extensions = _sessions(snapshot), tuple(row[0] for row in snapshot.rows(_EXTENSIONS))
        return DatabaseFacts(
            database=database,
            read_at=read_at.isoformat(),
            server_version=version,
            head_lsn=lsn,
            size_bytes=size_bytes,
            migration_head=head,
            tables=_all_tables(snapshot, tables, previous),
            sequences=_sequences(snapshot, previous),
            extensions=extensions,
            sessions=sessions,
        )


def summarise_moment(dsn: Dsn, *, budget_seconds: float = 3.0) -> MomentFacts:
    """Row counts, newest row and migration head. Raises as inspect_database does."""
    with open_snapshot(dsn, Budget(budget_seconds)) as snapshot:
        tables = read_tables(snapshot)
        head = read_migration_head(snapshot, tables)
        found = _all_tables(snapshot, tables, None)
        database = snapshot.value("SELECT pg_catalog.current_database()")
    newest_at, newest_table = _newest_row(found)
    return MomentFacts(
        database=database,
        rows={table.name: table.rows for table in found},
        newest_row_at=newest_at,
        newest_row_table=newest_table,
        migration_head=head,
    )


def read_application(dsn: Dsn, *, budget_seconds: float) -> tuple[dict[str, int] | Unknown, str | Unknown]:
    """Open client sessions by application, and the newest migration. Raises DatabaseUnreachable, OutOfTime."""
    with open_snapshot(dsn, Budget(budget_seconds)) as snapshot:
        return _sessions(snapshot), read_migration_head(snapshot)


def _basics(snapshot: Snapshot) -> tuple[str, str, dt.datetime, int | Unknown, str | Unknown]:
    database, version, read_at, size_bytes, lsn = snapshot.row(_BASICS)
    return database, version, read_at, size_bytes, lsn or Unknown("the server does not tell it")


def _all_tables(snapshot: Snapshot, tables: dict[str, Table], previous: DatabaseFacts | None) -> tuple[TableFacts, ...]:
    settled = {table.name: table for table in (previous.tables if previous else ()) if not may_be_retried(table.rows)}
    # Small tables first: if the time ends early, most tables have been read.
    by_size = sorted(tables.values(), key=lambda table: table.size_bytes)
    found = {table.label: settled.get(table.label) or _table_facts(snapshot, table) for table in by_size}
    return tuple(found[label] for label in tables)


def _table_facts(snapshot: Snapshot, table: Table) -> TableFacts:
    writes = table.write_times()
    rows, exact, newest = _counted(snapshot, table, writes)
    return TableFacts(
        name=table.label,
        rows=rows,
        rows_exact=exact,
        size_bytes=table.size_bytes,
        columns=tuple(f"{column.name} {column.type}" for column in table.columns),
        key=table.key,
        time_columns=tuple(
            TimeColumn(column.name, column.has_zone, column.name in newest, newest.get(column.name))
            for column in table.columns
            if column.is_time
        ),
    )


Newest = dict[str, str | Unknown | None]


def _counted(snapshot: Snapshot, table: Table, writes: tuple[Column, ...]) -> tuple[int | Unknown, bool, Newest]:
    if not table.is_readable:
        return _all_unknown(Unknown("the role may not read it"), writes)
    if table.size_bytes > LARGEST_COUNTED_BYTES:
        return _estimated(table, writes)
    maxima = [sql.SQL("max({})").format(sql.Identifier(column.name)) for column in writes]
    query = sql.SQL("SELECT {} FROM ONLY {}").format(
        sql.SQL(", ").join([sql.SQL("count(*)"), *maxima]), table.identifier
    )
    try:
        with snapshot.limited(TABLE_BUDGET_SECONDS):
            rows, *moments = snapshot.row(query)
    except OutOfTime:
        ran_out = snapshot.budget.left_seconds() < TABLE_BUDGET_SECONDS / 2
        return _all_unknown(_LATE, writes) if ran_out else _estimated(table, writes)
    except NotReadable as error:
        return _all_unknown(Unknown(str(error)), writes)
    newest: Newest = {
        column.name: moment.isoformat() if moment else None for column, moment in zip(writes, moments, strict=True)
    }
    return rows, True, newest


def _estimated(table: Table, writes: tuple[Column, ...]) -> tuple[int | Unknown, bool, Newest]:
    unread: Newest = {column.name: Unknown("the table is too large to be read") for column in writes}
    if table.estimate < 0:
        return Unknown("too large to be counted, and never analysed"), False, unread
    return table.estimate, False, unread


def _all_unknown(reason: Unknown, writes: tuple[Column, ...]) -> tuple[int | Unknown, bool, Newest]:
    return reason, False, {column.name: reason for column in writes}


def _sequences(snapshot: Snapshot, previous: DatabaseFacts | None) -> tuple[SequenceFacts, ...] | Unknown:
    if previous and not may_be_retried(previous.sequences):
        return previous.sequences
    try:
        found = read_sequences(snapshot)
    except OutOfTime:
        return Unknown("the time ended before the sequences were read", retry=True)
    return tuple(SequenceFacts(one.name, one.column, one.next_value, one.largest) for one in found)


def _sessions(snapshot: Snapshot) -> dict[str, int] | Unknown:
    try:
        return dict(snapshot.rows(sql.SQL(_SESSIONS).format(ours=APPLICATION_NAME, neons=_NEON_APPLICATIONS)))
    except NotReadable as error:
        return Unknown(str(error))


def _newest_row(tables: tuple[TableFacts, ...]) -> tuple[str | Unknown | None, str | None]:
    """The latest time of writing in any table; unknown if a table that carries one was not read."""
    latest: tuple[str, str] | None = None
    for table in tables:
        for column in table.time_columns:
            if isinstance(column.newest, Unknown):
                return Unknown(f"{table.name}: {column.newest.reason}"), None
            if column.newest and column.has_zone and (latest is None or column.newest > latest[0]):
                latest = (column.newest, table.name)
    return latest or (None, None)
