"""Tables, columns, migrations, constraints and indexes: is the branch built as the point was, and sound?"""

from __future__ import annotations

from backups.verification.catalog import full_name, read_tables
from backups.verification.connection import Budget, Snapshot, open_snapshot
from backups.verification.context import CheckContext
from backups.verification.migrations import read_migration_head
from backups.verification.results import CheckResult, CheckSpec, Unknown, counted, failed, inconclusive, passed

SCHEMA_CODE = "schema"
MIGRATION_CODE = "migration_head"
REQUIRED_CODE = "required_tables"
INDEXES_CODE = "indexes_valid"
VALIDATED_CODE = "constraints_validated"
APPROVED_CODE = "as_approved"

_NAMES_IN_SENTENCE = 3
INVALID_INDEXES = """
    SELECT i.indexrelid::pg_catalog.regclass::text FROM pg_catalog.pg_index i
    WHERE NOT (i.indisvalid AND i.indisready) ORDER BY 1"""
NOT_VALIDATED = """
    SELECT conrelid::pg_catalog.regclass::text || '.' || conname FROM pg_catalog.pg_constraint
    WHERE NOT convalidated AND conrelid <> 0 ORDER BY 1"""


def check_schema(spec: CheckSpec, context: CheckContext, budget: Budget) -> CheckResult:
    live = context.live()
    with open_snapshot(live.reference, budget) as point, open_snapshot(context.branch, budget) as branch:
        then, now = _columns(point), _columns(branch)
    figures = {
        "tables_only_at_point": sorted(then.keys() - now.keys()),
        "tables_only_now": sorted(now.keys() - then.keys()),
        "columns_differ": sorted(table for table in then.keys() & now.keys() if then[table] != now[table]),
    }
    wrong = [f"{named(names)} {words}" for words, names in (
        ("missing on the branch", figures["tables_only_at_point"]),
        ("not there at the point", figures["tables_only_now"]),
        ("with other columns", figures["columns_differ"]),
    ) if names]  # fmt: skip
    if wrong:
        return failed(spec, f"Tables differ: {'; '.join(wrong)}.", **figures)
    return passed(spec, f"{counted(len(then), 'table')} with the columns of the point.", **figures)


def check_migration_head(spec: CheckSpec, context: CheckContext, budget: Budget) -> CheckResult:
    live = context.live()
    with open_snapshot(live.reference, budget) as point, open_snapshot(context.branch, budget) as branch:
        then, now = read_migration_head(point), read_migration_head(branch)
    if isinstance(then, Unknown) and then == now:
        return passed(spec, f"Neither side tells a newest migration: {then.reason}.")
    if isinstance(then, Unknown):
        return inconclusive(spec, f"Could not tell: at the point, {then.reason}.")
    if isinstance(now, Unknown):
        return inconclusive(spec, f"Could not tell: on the branch, {now.reason}.")
    figures = {"at_point": then, "now": now}
    if then != now:
        return failed(spec, f"The newest migration is {now}, at the point it was {then}.", **figures)
    return passed(spec, f"The newest migration is {now}, as at the point.", **figures)


def check_required_tables(spec: CheckSpec, context: CheckContext, budget: Budget) -> CheckResult:
    with open_snapshot(context.branch, budget) as branch:
        present = read_tables(branch).keys()
    wanted = [full_name(name) for name in context.policy.required_tables]
    missing = [name for name in wanted if name not in present]
    if missing:
        return failed(spec, f"Missing: {named(missing)}.", missing=missing)
    return passed(spec, f"{counted(len(wanted), 'required table')} present.", missing=[])


def check_as_approved(spec: CheckSpec, context: CheckContext, budget: Budget) -> CheckResult:
    """The reference must still be what people saw when they voted."""
    anchors = context.live().anchors
    known = {full_name(name): rows for name, rows in context.known_rows.items()}
    other = sorted(name for name, rows in known.items() if anchors.rows.get(name) != rows)
    if other:
        return failed(spec, f"The copy at the point no longer holds the rows that were approved: {named(other)}.")
    return passed(spec, f"{counted(len(known), 'table')} of the copy as approved.")


def check_indexes(spec: CheckSpec, context: CheckContext, budget: Budget) -> CheckResult:
    return _no_worse_than_point(spec, context, budget, INVALID_INDEXES, "invalid index", "invalid indexes")


def check_validated(spec: CheckSpec, context: CheckContext, budget: Budget) -> CheckResult:
    return _no_worse_than_point(
        spec, context, budget, NOT_VALIDATED, "constraint never validated", "constraints never validated"
    )


def _no_worse_than_point(
    spec: CheckSpec, context: CheckContext, budget: Budget, query: str, one: str, many: str
) -> CheckResult:
    with open_snapshot(context.branch, budget) as branch:
        now = _first_column(branch, query)
    if not now:
        return passed(spec, f"No {one}.", found=[])
    then = _at_point(context, budget, query)
    words = f"{len(now)} {one if len(now) == 1 else many}: {named(now)}"
    if set(now) <= set(then):
        return inconclusive(spec, f"{words}. It was so at the point as well.", found=now)
    return failed(spec, f"{words}.", found=now)


def _at_point(context: CheckContext, budget: Budget, query: str) -> list[str]:
    if context.reference is None:
        return []
    with open_snapshot(context.reference, budget) as point:
        return _first_column(point, query)


def _first_column(snapshot: Snapshot, query: str) -> list[str]:
    return [row[0] for row in snapshot.rows(query)]


def _columns(snapshot: Snapshot) -> dict[str, list[str]]:
    return {
        label: [f"{column.name} {column.type}" for column in table.columns]
        for label, table in read_tables(snapshot).items()
    }


def named(names: list[str]) -> str:
    """The first few names and how many more there are."""
    shown = ", ".join(names[:_NAMES_IN_SENTENCE])
    more = len(names) - _NAMES_IN_SENTENCE
    return f"{shown} and {more} more" if more > 0 else shown
