"""The fingerprint of a table: how many rows, and the sum of a 64-bit hash of each.

It does not depend on the order of rows. Sums, not XOR: equal rows add up where they would cancel each other out.
Sums of parts of a table add up to that of the table. See docs/adr/0013-what-a-drill-checks.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from backups.verification.catalog import Table
from backups.verification.connection import Row, Snapshot, joined

_SUM_BITS = 128
# As a float8 the hash keeps 53 bits and is hashed byte by byte; int8 would be folded to 32 bits, and text is slower.
_MIXED = "pg_catalog.hashfloat8extended(pg_catalog.hash_record_extended({}, {})::pg_catalog.float8, {})"
_OTHER_SEED = 0x5DEECE66D

# Types whose hash differs whenever their text differs, save for what SQL itself calls equal (1.0 and 1.00, or an
# interval of 24 hours and one of a day). All others, those of extensions among them, go by their text.
_HASHED_DIRECTLY = frozenset(
    {"bool", "bytea", "char", "name", "text", "varchar", "bpchar", "uuid", "jsonb", "inet", "cidr", "macaddr"}
    | {"int2", "int4", "int8", "oid", "float4", "float8", "numeric", "macaddr8"}
    | {"date", "time", "timetz", "timestamp", "timestamptz", "interval"}
)
_ARRAY, _ENUM, _BASE = "A", "e", "b"

# Of each column: its type with domains taken off, and of an array the type of its elements.
_COLUMNS = """
    SELECT a.attname::text, base.typtype::text, base.typcategory::text, base_schema.nspname = 'pg_catalog',
           base.typname::text, coalesce(element.typtype::text, ''),
           coalesce(element_schema.nspname = 'pg_catalog', false), coalesce(element.typname::text, ''),
           coalesce(l.collisdeterministic, true)
    FROM pg_catalog.pg_attribute a
    JOIN LATERAL (
        WITH RECURSIVE down (oid) AS (
            SELECT a.atttypid UNION ALL
            SELECT t.typbasetype FROM down JOIN pg_catalog.pg_type t ON t.oid = down.oid WHERE t.typtype = 'd')
        SELECT t.* FROM down JOIN pg_catalog.pg_type t ON t.oid = down.oid WHERE t.typtype <> 'd') AS base ON true
    JOIN pg_catalog.pg_namespace base_schema ON base_schema.oid = base.typnamespace
    LEFT JOIN pg_catalog.pg_type element ON element.oid = base.typelem AND base.typcategory = 'A'
    LEFT JOIN pg_catalog.pg_namespace element_schema ON element_schema.oid = element.typnamespace
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
    WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum"""

# PostgreSQL combines the hashes of columns by adding them up, so two rows that exchange a value would have the same sum
# as before; a second hash of the first one undoes that. Sums of int8 are exact, and worked out in parallel.
_SUM = "SELECT count(*), coalesce(sum({hash}), 0) FROM ONLY {table} AS _row WHERE {part}"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Comparable only with one of the same seed. `total` is the exact sum of signed 64-bit hashes."""

    rows: int = 0
    total: int = 0

    def __add__(self, other: Fingerprint) -> Fingerprint:
        return Fingerprint(self.rows + other.rows, self.total + other.total)

    def hexadecimal(self) -> str:
        """The sum as 128 bits, for people and reports."""
        return f"{self.total % 2**_SUM_BITS:032x}"

    def to_json(self) -> list[int | str]:
        """The sum as text: JSON's numbers end at 2^53 in some hands."""
        return [self.rows, str(self.total)]

    @classmethod
    def from_json(cls, data: list[int | str]) -> Fingerprint:
        return cls(*map(int, data))


@dataclass(frozen=True, slots=True)
class RowHash:
    """How the rows of one table are hashed: whole, or column by column because some have no hash of their own."""

    by_text: tuple[str, ...]
    columns: tuple[str, ...]

    def expression(self, seed: int) -> sql.Composed:
        """SQL over the alias `_row`: a 64-bit hash of a row."""
        return sql.SQL(_MIXED).format(self._record(), seed, seed ^ _OTHER_SEED)

    def _record(self) -> sql.Composable:
        if not self.by_text:
            return sql.SQL('"_row".*')
        return sql.SQL("ROW({})").format(joined([self._column(name) for name in self.columns], ", "))

    def _column(self, name: str) -> sql.Composed:
        column = sql.Identifier("_row", name)
        text = '{}::pg_catalog.text COLLATE pg_catalog."C"' if name in self.by_text else "{}"
        return sql.SQL(text).format(column)


def read_row_hash(snapshot: Snapshot, table: Table) -> RowHash:
    """Looks at the types of the columns. Raises OutOfTime, NotReadable, DatabaseUnreachable."""
    columns = snapshot.rows(sql.SQL(_COLUMNS).format(oid=table.oid))
    return RowHash(
        by_text=tuple(row[0] for row in columns if not _is_hashed_directly(*row[1:])),
        columns=tuple(row[0] for row in columns),
    )


def _is_hashed_directly(
    kind: str,
    category: str,
    is_builtin: bool,
    name: str,
    element_kind: str,
    element_is_builtin: bool,
    element: str,
    has_plain_collation: bool,
) -> bool:
    if not has_plain_collation:
        return False
    if category == _ARRAY:
        return _is_plain(element_kind, element_is_builtin, element)
    return _is_plain(kind, is_builtin, name)


def _is_plain(kind: str, is_builtin: bool, name: str) -> bool:
    return kind == _ENUM or (kind == _BASE and is_builtin and name in _HASHED_DIRECTLY)


def fingerprint_query(table: Table, row_hash: RowHash, seed: int, part: sql.Composable | None = None) -> sql.Composed:
    """SQL for the fingerprint of the rows for which `part` holds, a condition over the alias `_row`."""
    return sql.SQL(_SUM).format(hash=row_hash.expression(seed), table=table.identifier, part=part or sql.SQL("true"))


def read_fingerprint(snapshot: Snapshot, table: Table, row_hash: RowHash, seed: int) -> Fingerprint:
    """Of the whole table. Raises OutOfTime, NotReadable, DatabaseUnreachable."""
    return fingerprint_of(snapshot.rows(fingerprint_query(table, row_hash, seed)))


def fingerprint_of(answer: Sequence[Row]) -> Fingerprint:
    """The answer to `fingerprint_query`."""
    rows, total = answer[0]
    return Fingerprint(int(rows), int(total))
