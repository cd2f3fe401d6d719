"""Will the next number that a sequence gives out still be free?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from backups.verification.connection import Budget, Row, Snapshot, open_snapshot
from backups.verification.context import CheckContext
from backups.verification.errors import NotReadable
from backups.verification.results import CheckResult, CheckSpec, Unknown, counted, failed, inconclusive, passed
from backups.verification.structure import named

CODE = "sequences"
_QUESTIONS_TOGETHER = 100

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
    """All sequences that fill a column. Raises OutOfTime; a single one that can't be read is Unknown."""
    owned = snapshot.rows(_OWNED)
    columns = [(sql.Identifier(row[4]), sql.Identifier(row[2], row[3])) for row in owned]
    # The columns first: sequences stand outside of snapshots, so read last they are never behind by timing alone.
    largest = _asked_together(snapshot, [sql.SQL("SELECT max({}) FROM {}").format(*column) for column in columns])
    states = _asked_together(
        snapshot,
        [
            sql.SQL("SELECT ARRAY[last_value, is_called::int] FROM {}").format(sql.Identifier(row[0], row[1]))
            for row in owned
        ],
    )
    return [_sequence(*facts) for facts in zip(owned, largest, states, strict=True)]


def _sequence(owned: Row, largest: int | Unknown | None, state: list[int] | Unknown) -> Sequence:
    schema, name, table_schema, table, column, increment = owned
    label, target = f"{schema}.{name}", f"{table_schema}.{table}.{column}"
    if isinstance(state, Unknown):
        return Sequence(label, target, state, largest, was_used=False)
    last_value, was_used = state
    return Sequence(label, target, last_value + increment * was_used, largest, was_used=bool(was_used))


def _asked_together(snapshot: Snapshot, questions: list[sql.Composed]) -> list[Any]:
    """One value per question, in few messages; one that is refused is Unknown and does not spoil the others."""
    answers: list[Any] = []
    for begin in range(0, len(questions), _QUESTIONS_TOGETHER):
        some = questions[begin : begin + _QUESTIONS_TOGETHER]
        try:
            answers += snapshot.row(
                sql.SQL("SELECT {}").format(sql.SQL(", ").join(sql.SQL("({})").format(q) for q in some))
            )
        except NotReadable:
            answers += [_asked_alone(snapshot, question) for question in some]
    return answers


def _asked_alone(snapshot: Snapshot, question: sql.Composed) -> Any:
    try:
        return snapshot.value(question)
    except NotReadable as error:
        return Unknown(str(error))


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
