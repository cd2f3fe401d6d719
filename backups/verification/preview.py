"""Compares a copy at the point with the live branch, for the people who decide."""

from __future__ import annotations

import datetime as dt

from psycopg import sql

from backups.verification.catalog import Table, read_tables
from backups.verification.connection import Budget, Snapshot, open_snapshot
from backups.verification.difference import Difference, Pair, compare_slice
from backups.verification.dsn import Dsn
from backups.verification.errors import NotReadable, OutOfTime
from backups.verification.facts import may_be_retried
from backups.verification.freshness import Claims
from backups.verification.losses import CountedBy, LossPreview, TableLoss
from backups.verification.migrations import read_migration_head
from backups.verification.results import Unknown
from backups.verification.slices import slicing_for
from backups.verification.xids import as_stored

_LATE = Unknown("the time ended before this table was compared", retry=True)
_TOO_LARGE = Unknown("the table is too large to be compared in the time allowed")


def compare_point_with_now(
    point: Dsn,
    now: Dsn,
    *,
    point_at: dt.datetime | None,
    budget_seconds: float = 8.0,
    table_budget_seconds: float = 3.0,
    previous: LossPreview | None = None,
) -> LossPreview:
    """Compares table by table; what took too long is unknown with its reason, and `previous` resumes.

    `point` must come from the history of `now`: rows are told apart by their transaction ids. Reads only.
    Raises DatabaseUnreachable; OutOfTime when not even the lists of tables came.
    """
    budget = Budget(budget_seconds)
    with open_snapshot(point, budget) as then_side, open_snapshot(now, budget) as now_side:
        comparison = _Comparison(then_side, now_side, point_at, table_budget_seconds)
        return comparison.preview(previous)


class _Comparison:
    """One comparison within one budget."""

    def __init__(
        self, point: Snapshot, now: Snapshot, point_at: dt.datetime | None, table_budget_seconds: float
    ) -> None:
        self.point = point
        self.now = now
        self.point_at = point_at
        self.table_budget_seconds = table_budget_seconds
        self.then_tables = read_tables(point)
        self.now_tables = read_tables(now)
        # The next id of the copy: what its own upkeep has used since only moves rows from "written since" to
        # "not at the point", and both are lost.
        next_xid = point.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        self.boundary = as_stored(next_xid)

    def preview(self, previous: LossPreview | None) -> LossPreview:
        heads = [read_migration_head(self.point, self.then_tables), read_migration_head(self.now, self.now_tables)]
        then, now = _column_names(self.then_tables), _column_names(self.now_tables)
        return LossPreview(
            tables=self._losses(previous),
            tables_only_at_point=tuple(sorted(self.then_tables.keys() - self.now_tables.keys())),
            tables_only_now=tuple(sorted(self.now_tables.keys() - self.then_tables.keys())),
            columns_only_at_point=_only_in(then, now),
            columns_only_now=_only_in(now, then),
            migration_head_at_point=heads[0],
            migration_head_now=heads[1],
        )

    def _losses(self, previous: LossPreview | None) -> tuple[TableLoss, ...]:
        settled = {
            loss.table: loss for loss in (previous.tables if previous else ()) if not may_be_retried(loss.rows_lost)
        }
        tables = self.then_tables | self.now_tables
        # Small tables first: if the time ends early, most tables have been compared.
        by_size = sorted(tables, key=lambda label: tables[label].size_bytes)
        found = {label: settled.get(label) or self._loss(label) for label in by_size}
        return tuple(found[label] for label in sorted(found))

    def _loss(self, label: str) -> TableLoss:
        then, now = self.then_tables.get(label), self.now_tables.get(label)
        try:
            with self.point.limited(self.table_budget_seconds), self.now.limited(self.table_budget_seconds):
                if then is None or now is None:
                    return self._one_sided(label, then, now)
                return self._compared(then, now)
        except NotReadable as error:
            return TableLoss.unread(label, Unknown(str(error)))
        except OutOfTime:
            return self._after_time_out(label, now)

    def _one_sided(self, label: str, then: Table | None, now: Table | None) -> TableLoss:
        at_point = _count(self.point, then) if then else None
        present = _count(self.now, now) if now else None
        return TableLoss(label, at_point, present, present or 0, 0, at_point or 0, CountedBy.PRESENCE)

    def _compared(self, then: Table, now: Table) -> TableLoss:
        same_columns = then.columns == now.columns
        if not same_columns and (not then.key or then.key != now.key):
            why = Unknown("its columns changed, and it has no key by which rows could be paired")
            return TableLoss(
                now.label, _count(self.point, then), _count(self.now, now), why, why, why, CountedBy.NOTHING
            )
        seen = self._difference(Pair(self.point, self.now, then, self.boundary, keys_only=not same_columns))
        return TableLoss(
            now.label,
            rows_at_point=seen.at_point,
            rows_now=seen.now,
            rows_lost=seen.fresh - seen.changed + seen.strange,
            rows_reverted=seen.changed,
            rows_back=seen.gone,
            counted_by=CountedBy.ROWS if same_columns else CountedBy.KEYS,
        )

    def _difference(self, pair: Pair) -> Difference:
        slicing, seen = slicing_for(max(pair.table.estimate, 0)), Difference()
        while not slicing.is_done:
            seen += compare_slice(pair, slicing, Claims(times=()))
            slicing = slicing.advanced()
        return seen

    def _after_time_out(self, label: str, now: Table | None) -> TableLoss:
        if self.now.budget.left_seconds() < self.table_budget_seconds / 2:
            return TableLoss.unread(label, _LATE)
        lost = self._lost_by_time(now) if now else _TOO_LARGE
        counted_by = CountedBy.NOTHING if isinstance(lost, Unknown) else CountedBy.TIME_COLUMN
        return TableLoss(label, _TOO_LARGE, _TOO_LARGE, lost, _TOO_LARGE, _TOO_LARGE, counted_by)

    def _lost_by_time(self, table: Table) -> int | Unknown:
        """Rows that say they were made after the point; quick where that column has an index."""
        made = [c.name for c in table.write_times() if c.has_zone and c.name.startswith(("created", "inserted"))]
        if not made or self.point_at is None:
            return _TOO_LARGE
        query = sql.SQL("SELECT count(*) FROM ONLY {} WHERE {} > {}::timestamptz").format(
            table.identifier, sql.Identifier(made[0]), self.point_at.isoformat()
        )
        try:
            with self.now.limited(self.table_budget_seconds):
                return int(self.now.value(query))
        except (OutOfTime, NotReadable):
            return _TOO_LARGE


def _count(snapshot: Snapshot, table: Table) -> int:
    return int(snapshot.value(sql.SQL("SELECT count(*) FROM ONLY {}").format(table.identifier)))


def _column_names(tables: dict[str, Table]) -> dict[str, set[str]]:
    return {label: {column.name for column in table.columns} for label, table in tables.items()}


def _only_in(one: dict[str, set[str]], other: dict[str, set[str]]) -> tuple[str, ...]:
    """Columns that only `one` has, of tables that both have."""
    return tuple(sorted(f"{label}.{name}" for label in one.keys() & other.keys() for name in one[label] - other[label]))
