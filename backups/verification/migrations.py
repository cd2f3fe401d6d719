"""Which migration was applied last, for the tools that leave a table behind."""

from __future__ import annotations

import datetime as dt

from psycopg import sql

from backups.verification.catalog import Table, read_tables
from backups.verification.connection import Snapshot
from backups.verification.errors import NotReadable
from backups.verification.results import Unknown

# Table name, a column that identifies the tool's own table, and how its newest entry is found.
_TOOLS = (
    ("django_migrations", "applied", "SELECT app || '.' || name FROM {} ORDER BY id DESC LIMIT 1"),
    ("alembic_version", "version_num", "SELECT string_agg(version_num, ', ' ORDER BY version_num) FROM {}"),
    ("_prisma_migrations", "migration_name",
     "SELECT migration_name FROM {} WHERE finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1"),
    ("flyway_schema_history", "version", "SELECT version FROM {} ORDER BY installed_rank DESC LIMIT 1"),
    ("schema_migrations", "version", "SELECT max(version)::text FROM {}"),
)  # fmt: skip
# Those that say when each was applied.
_TOOLS_WITH_TIMES = (
    ("django_migrations", "applied",
     "SELECT app || '.' || name FROM {} WHERE applied <= {until}::timestamptz ORDER BY id DESC LIMIT 1"),
    ("_prisma_migrations", "finished_at",
     "SELECT migration_name FROM {} WHERE finished_at <= {until}::timestamptz ORDER BY finished_at DESC LIMIT 1"),
    ("flyway_schema_history", "installed_on",
     "SELECT version FROM {} WHERE installed_on <= {until}::timestamptz ORDER BY installed_rank DESC LIMIT 1"),
)  # fmt: skip


def read_migration_head(snapshot: Snapshot, tables: dict[str, Table] | None = None) -> str | Unknown:
    """The newest migration, or why it isn't known. Raises OutOfTime, DatabaseUnreachable."""
    known = tables if tables is not None else read_tables(snapshot)
    for table_name, column, query in _TOOLS:
        for table in known.values():
            if table.name == table_name and column in {c.name for c in table.columns}:
                return _newest(snapshot, table, query)
    return Unknown("no table of a known migration tool was found")


def read_migration_head_at(snapshot: Snapshot, moment: dt.datetime, tables: dict[str, Table]) -> str | Unknown:
    """The newest migration as of a moment, where the tool keeps times. Raises OutOfTime, DatabaseUnreachable."""
    for table_name, column, query in _TOOLS_WITH_TIMES:
        for table in tables.values():
            if table.name == table_name and column in {c.name for c in table.columns}:
                return _newest(snapshot, table, query, moment)
    return Unknown("no table of a migration tool that keeps times was found")


def _newest(snapshot: Snapshot, table: Table, query: str, moment: dt.datetime | None = None) -> str | Unknown:
    until = sql.Literal(moment.isoformat() if moment else None)
    try:
        found = snapshot.rows(sql.SQL(query).format(table.identifier, until=until))
    except NotReadable as error:
        return Unknown(f"{table.label} can't be read: {error}")
    newest = found[0][0] if found else None
    return Unknown(f"{table.label} is empty") if newest is None else str(newest)[:200]
