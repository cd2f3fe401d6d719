"""Parts of a table that are small enough to be compared within one budget."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from backups.verification.catalog import Table

ROWS_PER_SLICE = 200_000
FINER = 4
MOST_SLICES = 65_536
# The key's hash needs the same seed on both sides and in every call; it never leaves the process.
_KEY_SEED = 0
_HASH_LOW, _HASH_SPAN = -(2**63), 2**64


@dataclass(frozen=True, slots=True)
class Slicing:
    """Where a comparison stands: slice `index` of `of`."""

    index: int
    of: int

    @property
    def is_done(self) -> bool:
        return self.index >= self.of

    def advanced(self) -> Slicing:
        return Slicing(self.index + 1, self.of)

    def refined(self) -> Slicing | None:
        """The same place in finer slices: slices are ranges, so what is done stays done."""
        finer = Slicing(self.index * FINER, self.of * FINER)
        return finer if finer.of <= MOST_SLICES else None


def slicing_for(rows: int, *, rows_per_slice: int | None = None) -> Slicing:
    of = 1
    while rows / of > (rows_per_slice or ROWS_PER_SLICE) and of < MOST_SLICES:
        of *= FINER
    return Slicing(0, of)


def key_hash(table: Table) -> sql.Composed:
    """The hash by which rows of both sides are paired; without a key, that of the whole row."""
    if not table.key:
        return sql.SQL("pg_catalog.hashtextextended({}, {})").format(row_text(), _KEY_SEED)
    columns = sql.SQL(", ").join(sql.Identifier("_row", name) for name in table.key)
    return sql.SQL("pg_catalog.hashtextextended(ROW({})::text, {})").format(columns, _KEY_SEED)


def row_text() -> sql.SQL:
    return sql.SQL('"_row".*::text')


def condition(table: Table, slicing: Slicing, bounds: tuple[int, int] | None) -> sql.Composable:
    """Which rows belong to the slice. `bounds`: smallest and largest integer key, if the table has one."""
    if slicing.of == 1:
        return sql.SQL("true")
    if table.integer_key and bounds:
        low, span = bounds[0], bounds[1] - bounds[0] + 1
        return _between(sql.Identifier("_row", table.integer_key), slicing, low, span)
    return _between(key_hash(table), slicing, _HASH_LOW, _HASH_SPAN)


def _between(value: sql.Composable, slicing: Slicing, low: int, span: int) -> sql.Composable:
    # The outer slices are open, so that rows beyond the bounds are not forgotten.
    parts: list[sql.Composable] = []
    if slicing.index > 0:
        parts.append(sql.SQL("{} >= {}").format(value, low + slicing.index * span // slicing.of))
    if slicing.index + 1 < slicing.of:
        parts.append(sql.SQL("{} < {}").format(value, low + (slicing.index + 1) * span // slicing.of))
    return sql.SQL(" AND ").join(parts)
