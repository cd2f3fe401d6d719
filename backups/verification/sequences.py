"""Will the next number that a sequence gives out still be free?"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from backups.verification.connection import Budget, Snapshot, open_snapshot
from backups.verification.context import CheckContext
from backups.verification.errors import NotReadable, OutOfTime
from backups.verification.results import CheckResult, CheckSpec, Unknown, counted, failed, inconclusive, passed
from backups.verification.structure import named

CODE = "sequences"

# Sequences that fill a column: serial and identity. Those that count down or start over can't be "behind".
_OWNED = """
    SELECT sn.nspname, s.relname, tn.nspname, t.relname, a.attname, q.seqincrement
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
    JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0
      AND q.seqincrement > 0 AND NOT q.seqcycle AND s.relpersistence <> 't'
    ORDER BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence, the column it fills, the number it gives next and the largest number in the column."""

    name: str
    column: str
    next_value: int | Unknown
    largest: int | Unknown | None
    was_used: bool

    @property
    def is_behind(self) -> bool:
        if isinstance(self.next_value, Unknown) or isinstance(self.largest, Unknown) or self.largest is None:
            return False
        return self.next_value <= self.largest

    @property
    def is_unknown(self) -> bool:
        return isinstance(self.next_value, Unknown) or isinstance(self.largest, Unknown)


def read_sequences(snapshot: Snapshot) -> list[Sequence]:
    """All sequences that fill a column. Raises OutOfTime for the list itself, not for a single sequence."""
    return [_read(snapshot, *row) for row in snapshot.rows(_OWNED)]


def _read(
    snapshot: Snapshot, schema: str, name: str, table_schema: str, table: str, column: str, increment: int
) -> Sequence:
    label, target = f"{schema}.{name}", f"{table_schema}.{table}.{column}"
    # The column first: sequences stand outside of snapshots, so read last they are never behind by timing alone.
    largest_query = sql.SQL("SELECT max({}) FROM {}").format(
        sql.Identifier(column), sql.Identifier(table_schema, table)
    )
    value_query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
    try:
        largest = snapshot.value(largest_query)
        last_value, is_called = snapshot.row(value_query)
    except NotReadable as error:
        return Sequence(label, target, Unknown(str(error)), Unknown(str(error)), was_used=False)
    except OutOfTime:
        late = Unknown("the time ended first", retry=True)
        return Sequence(label, target, late, late, was_used=False)
    return Sequence(label, target, last_value + increment if is_called else last_value, largest, was_used=is_called)


def check_sequences(spec: CheckSpec, context: CheckContext, budget: Budget) -> CheckResult:
    """Fails for a sequence that is behind its column; one that was never used may stand for ids made elsewhere."""
    with open_snapshot(context.branch, budget) as branch:
        sequences = read_sequences(branch)
    behind = [s.name for s in sequences if s.is_behind and s.was_used]
    unused = [s.name for s in sequences if s.is_behind and not s.was_used]
    unknown = [s.name for s in sequences if s.is_unknown]
    figures = {"sequences": len(sequences), "behind": behind, "never_used": unused, "unread": unknown}
    if behind:
        return failed(spec, f"Behind the ids of its table: {named(behind)}. The next insert would fail.", **figures)
    if unused:
        return inconclusive(
            spec, f"Could not tell: never used, though its table holds ids: {named(unused)}.", **figures
        )
    if unknown:
        return inconclusive(spec, f"Could not tell: not readable: {named(unknown)}.", **figures)
    return passed(spec, f"{counted(len(sequences), 'sequence')} ahead of the ids of the tables.", **figures)
