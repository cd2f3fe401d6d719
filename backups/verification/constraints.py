"""Do the rows keep what the constraints promise? Recovered files could break a promise that nobody checks again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from psycopg import sql

from backups.verification.connection import Budget, Snapshot, joined, open_snapshot
from backups.verification.context import CheckContext
from backups.verification.errors import NotReadable, OutOfTime
from backups.verification.results import CheckResult, CheckSpec, Unfinished, counted, failed, inconclusive, passed
from backups.verification.structure import named

CODE = "constraints_hold"
MOST_VIOLATIONS = 1000

# Constraints of ordinary tables, the ones that partitions inherit included. Not validated ones are another check's.
_CONSTRAINTS = """
    SELECT c.oid::bigint, c.conname, c.contype::text, n.nspname, t.relname, fn.nspname, f.relname,
           ARRAY(SELECT a.attname FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY k (number, place)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
                 ORDER BY k.place)::text[],
           ARRAY(SELECT a.attname FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY k (number, place)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number
                 ORDER BY k.place)::text[],
           ARRAY(SELECT pg_catalog.format('OPERATOR(%I.%s)', opn.nspname, o.oprname)
                 FROM pg_catalog.unnest(c.conpfeqop) WITH ORDINALITY k (oid, place)
                 JOIN pg_catalog.pg_operator o ON o.oid = k.oid
                 JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace
                 ORDER BY k.place)::text[],
           pg_catalog.pg_get_expr(c.conbin, c.conrelid), c.convalidated
    FROM pg_catalog.pg_constraint c
    JOIN pg_catalog.pg_class t ON t.oid = c.conrelid AND t.relkind = 'r'
    JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
    LEFT JOIN pg_catalog.pg_class f ON f.oid = c.confrelid
    LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
    WHERE c.contype::text = ANY ({kinds}) AND (c.convalidated OR NOT {validated_only}) AND c.oid > {after}
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY c.oid"""

_ORPHANS = "SELECT FROM {table} AS one WHERE {filled} AND NOT EXISTS (SELECT FROM {other} AS other WHERE {same})"
_DOUBLES = "SELECT FROM {table} AS one WHERE {filled} GROUP BY {columns} HAVING count(*) > 1"
_BREAKING = "SELECT FROM {table} WHERE NOT ({expression})"


@dataclass(frozen=True, slots=True)
class Constraint:
    oid: int
    name: str
    kind: str  # f foreign key, p primary key, u unique, c check
    schema: str
    table: str
    other_schema: str | None
    other_table: str | None
    columns: list[str]
    other_columns: list[str]
    operators: list[str]
    expression: str | None
    is_validated: bool

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.table}.{self.name}"

    def breaking_rows(self) -> sql.Composed:
        """SQL that counts rows which break the constraint, up to a limit."""
        inner = {"f": self._orphans, "p": self._doubles, "u": self._doubles, "c": self._breaking}[self.kind]()
        return sql.SQL("SELECT count(*) FROM ({} LIMIT {}) AS broken").format(inner, MOST_VIOLATIONS)

    def _orphans(self) -> sql.Composed:
        same = [
            sql.SQL("{} {} {}").format(sql.Identifier("other", theirs), _trusted(operator), sql.Identifier("one", ours))
            for ours, theirs, operator in zip(self.columns, self.other_columns, self.operators, strict=True)
        ]
        other = sql.Identifier(self.other_schema or "", self.other_table or "")
        return sql.SQL(_ORPHANS).format(
            table=self._table(), filled=self._filled(), other=other, same=joined(same, " AND ")
        )

    def _doubles(self) -> sql.Composed:
        columns = joined([sql.Identifier("one", name) for name in self.columns], ", ")
        return sql.SQL(_DOUBLES).format(table=self._table(), filled=self._filled(), columns=columns)

    def _breaking(self) -> sql.Composed:
        return sql.SQL(_BREAKING).format(table=self._table(), expression=_trusted(self.expression or "true"))

    def _table(self) -> sql.Composed:
        # A foreign key may point at a partitioned table, whose rows lie in its partitions; its own side is one table.
        return sql.SQL("ONLY {}").format(sql.Identifier(self.schema, self.table))

    def _filled(self) -> sql.Composed:
        return joined([sql.SQL("{} IS NOT NULL").format(sql.Identifier("one", name)) for name in self.columns], " AND ")


def _trusted(text: str) -> sql.SQL:
    """SQL that PostgreSQL itself wrote down for the constraint."""
    return sql.SQL(text)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cursor holds. `last`: oid of the last constraint that was settled."""

    last: int = 0
    held: int = 0
    broken: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    not_validated: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def with_result(self, constraint: Constraint, rows: int | None) -> Seen:
        return Seen(
            last=constraint.oid,
            held=self.held + (rows == 0),
            broken={**self.broken, constraint.label: rows} if rows else self.broken,
            unread=[*self.unread, constraint.label] if rows is None else self.unread,
            not_validated=self.not_validated if constraint.is_validated else [*self.not_validated, constraint.label],
        )


def check_constraints_hold(
    spec: CheckSpec, context: CheckContext, budget: Budget, cursor: dict[str, Any] | None
) -> CheckResult | Unfinished:
    """Asks for rows that break a foreign key, a key, a unique or a check constraint, one constraint after the other."""
    with open_snapshot(context.branch, budget) as branch:
        seen, is_complete = count_breaking(branch, *read_constraints(branch, Seen(**cursor) if cursor else Seen()))
    return _judge(spec, seen) if is_complete else Unfinished(spec, seen.to_json())


def read_constraints(
    snapshot: Snapshot, seen: Seen, *, kinds: str = "fpuc", validated_only: bool = True, by_index: bool = False
) -> tuple[Seen, list[Constraint]]:
    """The constraints that are still to be looked at, after those in `seen`. Questions in this snapshot read the
    tables from now on; `by_index` leaves the choice to the server, which costs it less."""
    if not by_index:
        # Bitmap and index scans trust the very index that is in question; reading the table does not.
        snapshot.rows("SELECT pg_catalog.set_config('enable_indexscan', 'off', true),"
                      " pg_catalog.set_config('enable_indexonlyscan', 'off', true),"
                      " pg_catalog.set_config('enable_bitmapscan', 'off', true)")  # fmt: skip
    query = sql.SQL(_CONSTRAINTS).format(kinds=list(kinds), validated_only=validated_only, after=seen.last)
    return seen, [Constraint(*row) for row in snapshot.rows(query)]


def count_breaking(snapshot: Snapshot, seen: Seen, constraints: list[Constraint]) -> tuple[Seen, bool]:
    """Counts the rows that break each constraint. False: the time ended before all were looked at; go on with the
    same call after reading them again."""
    for number, constraint in enumerate(constraints):
        try:
            seen = seen.with_result(constraint, snapshot.value(constraint.breaking_rows()))
        except NotReadable:
            seen = seen.with_result(constraint, None)
        except OutOfTime:
            # If a whole budget was not enough for this one, it is not asked again.
            return (seen if number > 0 else seen.with_result(constraint, None)), False
    return seen, True


def _judge(spec: CheckSpec, seen: Seen) -> CheckResult:
    figures = {"held": seen.held, "broken": seen.broken, "unread": seen.unread}
    if seen.broken:
        rows = sum(seen.broken.values())
        return failed(spec, f"{counted(rows, 'row')} or more break {named(sorted(seen.broken))}.", **figures)
    if seen.unread:
        return inconclusive(spec, f"Could not tell: not readable in the time allowed: {named(seen.unread)}.", **figures)
    return passed(spec, f"{counted(seen.held, 'constraint')} kept by every row.", **figures)
