"""The tables of a database, as PostgreSQL's own catalogue describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from backups.verification import canary
from backups.verification.connection import Snapshot

#: Columns by these names are filled when a row is written, so a time in them says when that was.
WRITE_TIME_NAMES = frozenset(
    {f"{word}{suffix}" for word in ("created", "updated", "modified") for suffix in ("", "_at", "_on")}
    | {f"date_{word}" for word in ("created", "updated", "modified")}
    | {"creation_time", "update_time", "last_modified", "inserted_at", "logged_at", "recorded_at", "changed_at"}
    | {"applied"}  # Django's table of migrations
)
# Schemas that are not the customer's: PostgreSQL's, the ones that Neon keeps for itself, and our canary's.
FOREIGN_SCHEMAS = ["pg_catalog", "information_schema", "pg_toast", "neon", "neon_migration", canary.SCHEMA]
_INTEGER_TYPES = frozenset({"smallint", "integer", "bigint"})

_TABLES = """
    SELECT c.oid::bigint, n.nspname, c.relname, c.relpersistence = 'u', c.reltuples::bigint,
           pg_catalog.pg_total_relation_size(c.oid),
           pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'),
           ARRAY(SELECT ARRAY[a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod)]
                 FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
           coalesce(key.columns, '{{}}')
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL ({key}) AS key ON true
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> ALL ({foreign_schemas})
      AND n.nspname NOT LIKE 'pg\\_temp%' AND ({only}::text IS NULL OR n.nspname || '.' || c.relname = {only})
    ORDER BY n.nspname, c.relname"""
# The primary key, else a unique index that can stand for it.
_KEY = """
    SELECT ARRAY(SELECT a.attname
                 FROM pg_catalog.unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY k (number, place)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                 ORDER BY k.place)::text[] AS columns
    FROM pg_catalog.pg_index i
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
      AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]) AND NOT a.attnotnull)
    ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str

    @property
    def has_zone(self) -> bool:
        return self.type.endswith("with time zone")

    @property
    def is_time(self) -> bool:
        return self.type.startswith("timestamp")


@dataclass(frozen=True, slots=True)
class Table:
    """An ordinary table or a partition of one. `estimate` is -1 when the planner knows nothing."""

    oid: int
    schema: str
    name: str
    is_unlogged: bool
    estimate: int
    size_bytes: int
    is_readable: bool
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def integer_key(self) -> str | None:
        """The key, when it is one integer column: then parts of the table can be read by its index."""
        if len(self.key) != 1:
            return None
        types = {column.name: column.type for column in self.columns}
        return self.key[0] if types[self.key[0]] in _INTEGER_TYPES else None

    def write_times(self, chosen: Mapping[str, tuple[str, ...]] | None = None) -> tuple[Column, ...]:
        """The columns that say when a row was written: the chosen ones for this table, else by their names."""
        names = (chosen or {}).get(self.label, WRITE_TIME_NAMES)
        return tuple(column for column in self.columns if column.is_time and column.name in names)


def read_tables(snapshot: Snapshot, *, only: str | None = None) -> dict[str, Table]:
    """All tables that are the customer's, or `only` this one, by `schema.table`."""
    query = sql.SQL(_TABLES).format(key=sql.SQL(_KEY), foreign_schemas=FOREIGN_SCHEMAS, only=only)
    tables = [_table(*row) for row in snapshot.rows(query)]
    return {table.label: table for table in tables}


def read_table(snapshot: Snapshot, label: str) -> Table | None:
    """One of the customer's tables, named `schema.table`; None when there is no such table."""
    return read_tables(snapshot, only=label).get(label)


def _table(
    oid: int,
    schema: str,
    name: str,
    is_unlogged: bool,
    estimate: int,
    size_bytes: int,
    is_readable: bool,
    columns: list[list[str]],
    key: list[str],
) -> Table:
    typed = tuple(Column(*column) for column in columns)
    return Table(oid, schema, name, is_unlogged, estimate, size_bytes, is_readable, typed, tuple(key))


def full_name(name: str) -> str:
    """`schema.table`; a name without a schema is in public."""
    return name if "." in name else f"public.{name}"
