"""Do the rows of the copy keep what the constraints promise?"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from backups.verification.catalog import Table, read_tables
from backups.verification.connection import Budget, Snapshot, joined
from backups.verification.constraints import Constraint, Seen, count_breaking, read_constraints
from backups.verification.drill.pack import DrillTarget
from backups.verification.drill.reading import open_copy, open_source
from backups.verification.errors import NotReadable, OutOfTime
from backups.verification.results import CheckResult, CheckSpec, Unfinished, counted, failed, inconclusive, passed
from backups.verification.structure import INVALID_INDEXES, NOT_VALIDATED, named

_NOT_NULL = """
    SELECT n.nspname || '.' || c.relname, pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
    GROUP BY 1"""


def check_foreign_keys(
    spec: CheckSpec, target: DrillTarget, budget: Budget, cursor: dict[str, Any] | None
) -> CheckResult | Unfinished:
    """Counts rows without a parent, for keys that were never validated as well."""
    result = _check(spec, target, budget, cursor, kinds="f")
    if not isinstance(result, Seen):
        return result
    loose = [label for label in result.broken if label in result.not_validated]
    if loose and len(loose) == len(result.broken):
        return _judge_loose(spec, target, budget, result, loose)
    return _judge(spec, result, "foreign key")


def check_rules(
    spec: CheckSpec, target: DrillTarget, budget: Budget, cursor: dict[str, Any] | None
) -> CheckResult | Unfinished:
    """Counts rows that break a primary key, a unique or a check constraint, by reading the table, not the index."""
    result = _check(spec, target, budget, cursor, kinds="puc")
    return _judge(spec, result, "constraint") if isinstance(result, Seen) else result


def _check(
    spec: CheckSpec, target: DrillTarget, budget: Budget, cursor: dict[str, Any] | None, *, kinds: str
) -> Seen | Unfinished:
    with open_copy(target, budget) as copy:
        found = read_constraints(copy, Seen(**cursor) if cursor else Seen(), kinds=kinds, validated_only=kinds != "f")
        seen, is_complete = count_breaking(copy, *found)
    return seen if is_complete else Unfinished(spec, seen.to_json())


def _judge(spec: CheckSpec, seen: Seen, what: str) -> CheckResult:
    figures = {"held": seen.held, "broken": seen.broken, "unread": seen.unread, "not_validated": seen.not_validated}
    if seen.broken:
        rows = sum(seen.broken.values())
        words = "without its parent" if what == "foreign key" else "against the rule"
        return failed(spec, f"{counted(rows, 'row')} or more {words}: {named(sorted(seen.broken))}.", **figures)
    if seen.unread:
        return inconclusive(spec, f"Could not tell: not readable in the time allowed: {named(seen.unread)}.", **figures)
    return passed(spec, f"{counted(seen.held, what)} kept by every row.", **figures)


def _judge_loose(spec: CheckSpec, target: DrillTarget, budget: Budget, seen: Seen, loose: list[str]) -> CheckResult:
    """What was never validated may be broken at the source in the same way; then the copy is faithful."""
    verdict = _judge(spec, seen, "foreign key")
    try:
        with open_source(target, budget) as source:
            constraints = read_constraints(source, Seen(), kinds="f", validated_only=False, by_index=True)[1]
            wanted = [constraint for constraint in constraints if constraint.label in loose]
            there = [constraint.label for constraint in wanted if _is_broken(source, constraint)]
    except (NotReadable, OutOfTime):
        return verdict
    if set(there) != set(loose):
        return verdict
    return inconclusive(
        spec, f"{verdict.sentence} Never validated, and broken at the source as well.", **verdict.figures
    )


def _is_broken(snapshot: Snapshot, constraint: Constraint) -> bool:
    return bool(snapshot.value(constraint.breaking_rows()))


def check_not_null(
    spec: CheckSpec, target: DrillTarget, budget: Budget, cursor: dict[str, Any] | None
) -> CheckResult | Unfinished:
    """Counts rows with an empty value in a column that allows none."""
    state = cursor or {"done": [], "broken": {}, "unread": []}
    with open_copy(target, budget) as copy:
        tables = read_tables(copy)
        columns = {label: names for label, names in copy.rows(_NOT_NULL) if label in tables}
        begun_with = len(state["done"])
        for label in sorted(columns.keys() - set(state["done"])):
            try:
                _look_for_nulls(copy, tables[label], columns[label], state)
            except OutOfTime:
                if len(state["done"]) == begun_with:  # a whole budget was not enough for this one
                    state["unread"].append(label)
                    state["done"].append(label)
                return Unfinished(spec, state)
    return _judge_nulls(spec, state)


def _look_for_nulls(copy: Snapshot, table: Table, columns: list[str], state: dict[str, Any]) -> None:
    # num_nulls(): a plain IS NULL is taken for false without a look, as the column is declared NOT NULL.
    query = sql.SQL("SELECT count(*) FROM ONLY {} AS _row WHERE pg_catalog.num_nulls({}) > 0").format(
        table.identifier, joined([sql.Identifier("_row", name) for name in columns], ", ")
    )
    try:
        if rows := copy.value(query):
            state["broken"][table.label] = rows
    except NotReadable:
        state["unread"].append(table.label)
    state["done"].append(table.label)


def _judge_nulls(spec: CheckSpec, state: dict[str, Any]) -> CheckResult:
    figures = {"tables": len(state["done"]), "broken": state["broken"], "unread": state["unread"]}
    if broken := sorted(state["broken"]):
        rows = sum(state["broken"].values())
        return failed(
            spec, f"{counted(rows, 'row')} with an empty value where none may be: {named(broken)}.", **figures
        )
    if state["unread"]:
        return inconclusive(spec, f"Could not tell: not readable: {named(state['unread'])}.", **figures)
    return passed(spec, f"No empty value in {counted(len(state['done']), 'table')}.", **figures)


def check_indexes_valid(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """By the catalogue: an index whose making was broken off is not used and not trusted."""
    return _none_of(spec, target, budget, INVALID_INDEXES, "invalid index", "invalid indexes")


def check_validated(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """By the catalogue: nobody has looked whether the rows from before the constraint keep it."""
    words = ("constraint never validated", "constraints never validated")
    return _none_of(spec, target, budget, NOT_VALIDATED, *words)


def _none_of(spec: CheckSpec, target: DrillTarget, budget: Budget, query: str, one: str, many: str) -> CheckResult:
    with open_copy(target, budget) as copy:
        found = [row[0] for row in copy.rows(query)]
    if not found:
        return passed(spec, f"No {one}.", found=[])
    sentence = f"{len(found)} {one if len(found) == 1 else many}: {named(found)}."
    if target.source is None:
        return failed(spec, sentence, found=found)
    with open_source(target, budget) as source:
        there = {row[0] for row in source.rows(query)}
    if set(found) <= there:
        return inconclusive(spec, f"{sentence} It is so at the source as well.", found=found)
    return failed(spec, sentence, found=found)
