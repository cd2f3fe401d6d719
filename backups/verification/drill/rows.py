"""Does a table of the copy hold as many rows as the source says that there were at the point?

The source has been written to since, so each count of it is a lower bound of what the copy must hold:

* rows whose transaction had committed when the copy was cut off;
* rows that say they were made before the point, however often they were changed since;
* with commit times: rows committed before the point whose transaction the copy does not know.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import sql

from backups.verification.catalog import Table, read_table
from backups.verification.connection import Budget, Snapshot
from backups.verification.drill.gone import (
    POLL_SECONDS,
    Counters,
    Explanation,
    read_counters,
    wait_for_counters,
)
from backups.verification.drill.pack import DrillTarget
from backups.verification.drill.point import HAS_COMMIT_TIMES, POINT_SLACK, instant
from backups.verification.drill.reading import in_flight_at_point, open_copy, open_source, was_settled
from backups.verification.results import CheckResult, CheckSpec, Unfinished, counted, failed, inconclusive, passed

#: A row that says it was made before the point may have been committed after it; a transaction is seldom open longer.
OPEN_TRANSACTION = dt.timedelta(seconds=60)
_MADE = ("created", "inserted", "date_created", "creation", "logged", "recorded")

_AT_SOURCE = """
    SELECT count(*), count(*) FILTER (WHERE {settled}), count(*) FILTER (WHERE {made} AND NOT {in_flight}),
           count(*) FILTER (WHERE {committed} AND NOT {settled} AND NOT {in_flight})
    FROM ONLY {table} AS _row"""
_ON_COPY = "SELECT count(*), count(*) FILTER (WHERE {made}) FROM ONLY {table} AS _row"


@dataclass(frozen=True, slots=True)
class RowCounts:
    """One table. `made_*`: rows that say they were made long enough before the point, None without such a column.
    `unknown_commits`: rows of the source, committed before the point by transactions that the copy does not know."""

    on_copy: int
    at_source: int
    settled_at_source: int
    made_at_source: int | None
    made_on_copy: int | None
    unknown_commits: int

    @property
    def missing(self) -> int:
        made = (self.made_at_source or 0) - (self.made_on_copy or 0)
        return max(0, self.settled_at_source - self.on_copy, made, self.unknown_commits)

    @property
    def expected_at_least(self) -> int:
        return self.on_copy + self.missing if self.missing else self.settled_at_source

    @property
    def gone_since(self) -> int:
        """Rows of the copy that are not at the source in any form, at least."""
        return max(0, self.on_copy - self.at_source)


def check_rows(
    spec: CheckSpec, target: DrillTarget, budget: Budget, cursor: dict[str, Any] | None
) -> CheckResult | Unfinished:
    """Counts on both sides. Inconclusive where the source's count can't be told to be of the point."""
    with open_copy(target, budget) as copy, open_source(target, budget) as source:
        on_copy, at_source = read_table(copy, spec.subject), read_table(source, spec.subject)
        if on_copy is None:
            return failed(spec, "The table is missing on the copy.")
        if at_source is None:
            return inconclusive(spec, "Could not tell: the source no longer has this table.")
        if doubt := doubt_about_source(target, at_source):
            return inconclusive(spec, f"Could not tell: {doubt}.", size_bytes=at_source.size_bytes)
        counts = _count(target, copy, source, on_copy, at_source)
        counters = read_counters(target, copy, source, on_copy, at_source)
    is_clear = counters.explain(counts.gone_since, counts.on_copy) is Explanation.DELETED
    if not is_clear and (waiting := wait_for_counters(target, cursor)):
        return Unfinished(spec, waiting, retry_after_seconds=POLL_SECONDS)
    return _judge(spec, target, counts, counters)


def doubt_about_source(target: DrillTarget, table: Table) -> str | None:
    """Why this table of the source can't be compared, or None."""
    if target.anchors and table.label in target.anchors.wrapped:
        return "its oldest rows carry reused transaction ids"
    if table.size_bytes > target.pack.largest_source_bytes:
        size = table.size_bytes / 1024**3
        return f"with {size:,.1f} GiB it is too large to be read at the source while it serves people"
    return None if table.is_readable else "the role may not read it at the source"


def _count(target: DrillTarget, copy: Snapshot, source: Snapshot, on_copy: Table, at_source: Table) -> RowCounts:
    made_by = _made_column(target, on_copy, at_source)
    made = _made_before(target, made_by)
    rows_on_copy, made_on_copy = copy.row(sql.SQL(_ON_COPY).format(made=made, table=on_copy.identifier))
    total, settled, made_at_source, unknown = source.row(
        sql.SQL(_AT_SOURCE).format(
            settled=was_settled(target),
            made=made,
            in_flight=in_flight_at_point(target),
            committed=_committed_before(target, source),
            table=at_source.identifier,
        )
    )
    has_made = made_by is not None
    return RowCounts(
        rows_on_copy,
        total,
        settled,
        made_at_source if has_made else None,
        made_on_copy if has_made else None,
        unknown,
    )


def _made_column(target: DrillTarget, on_copy: Table, at_source: Table) -> str | None:
    """A column with a zone, on both sides, that says when a row was made and is not touched afterwards."""
    if target.point_at is None:
        return None
    there = {column.name for column in at_source.write_times(target.pack.write_time_columns) if column.has_zone}
    names = [column.name for column in on_copy.write_times(target.pack.write_time_columns) if column.name in there]
    return next((name for name in names if name.startswith(_MADE)), None)


def _made_before(target: DrillTarget, column: str | None) -> sql.Composable:
    if column is None or target.point_at is None:
        return sql.SQL("false")
    before = instant(target.point_at - OPEN_TRANSACTION)
    return sql.SQL("({} <= {})").format(sql.Identifier("_row", column), before)


def _committed_before(target: DrillTarget, source: Snapshot) -> sql.Composable:
    if target.point_at is None or not source.value(HAS_COMMIT_TIMES):
        return sql.SQL("false")
    return sql.SQL('pg_catalog.pg_xact_commit_timestamp("_row".xmin) <= {}').format(
        instant(target.point_at - POINT_SLACK)
    )


def _judge(spec: CheckSpec, target: DrillTarget, counts: RowCounts, counters: Counters) -> CheckResult:
    allowed = int(counts.expected_at_least * target.pack.row_tolerance_share)
    figures = asdict(counts) | {
        "missing": counts.missing, "expected_at_least": counts.expected_at_least,
        "tolerance_rows": allowed, "gone_since": counts.gone_since, "deletions_counted": counters.counted.deleted,
    }  # fmt: skip
    held = f"{counted(counts.on_copy, 'row')} on the copy"
    if counts.missing > allowed:
        return failed(
            spec,
            f"{held}, but there were {counts.expected_at_least:,} or more at the point: {counts.missing:,} missing"
            f" (allowed: {allowed:,}).",
            **figures,
        )
    if counters.explain(counts.gone_since, counts.on_copy) is not Explanation.DELETED:
        return inconclusive(
            spec,
            f"Could not tell: {held}, {counts.gone_since:,} more than the source holds, which counted"
            f" {counters.counted.deleted:,} deletions.",
            **figures,
        )
    return passed(spec, f"{held}; the source holds {counts.at_source:,}, {counts.expected_at_least:,} of them from"
                        f" before the point. {_about_missing(counts.missing, allowed)}", **figures)  # fmt: skip


def _about_missing(missing: int, allowed: int) -> str:
    return f"{missing:,} missing, {allowed:,} allowed." if missing else "None missing."
