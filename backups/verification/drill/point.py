"""Is the copy at the time that was asked for, and how old was its newest row then?"""

from __future__ import annotations

import datetime as dt
from typing import Any

from psycopg import sql

from backups.verification.anchors import Anchors
from backups.verification.catalog import Table, read_tables
from backups.verification.connection import Budget, Snapshot, joined
from backups.verification.drill.pack import DrillTarget
from backups.verification.drill.reading import NEXT_XID, open_copy, open_source
from backups.verification.errors import NotReadable
from backups.verification.results import CheckResult, CheckSpec, failed, inconclusive, passed
from backups.verification.xids import FIRST_NORMAL, MODULUS

#: Times of commits are given out before their place in the log is, so near the point the order may differ.
POINT_SLACK = dt.timedelta(seconds=1)
#: The clocks that fill columns may be those of the application's servers.
CLOCK_SLACK = dt.timedelta(seconds=5)
#: A time in a row is of the beginning of its transaction, which may have been committed after the point.
OPEN_TRANSACTION = dt.timedelta(seconds=60)
MOST_LOOKED_UP = 100_000

HAS_COMMIT_TIMES = "SELECT current_setting('track_commit_timestamp')::boolean"
_COMMITS = """
    SELECT count(*) FILTER (WHERE committed_at > {late}), count(*) FILTER (WHERE committed_at <= {early}),
           max(committed_at), min(committed_at)
    FROM (SELECT pg_catalog.pg_xact_commit_timestamp((number % {modulus})::text::pg_catalog.xid) AS committed_at
          FROM pg_catalog.generate_series({first}::bigint, {last}::bigint) AS number
          WHERE number % {modulus} >= {normal}) AS looked_up"""


def instant(moment: dt.datetime) -> sql.Composed:
    return sql.SQL("{}::timestamptz").format(moment.isoformat())


def check_point_time(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """By commit times where the servers keep them, otherwise by what rows say of themselves."""
    if target.point_at is None or target.anchors is None:
        return inconclusive(spec, "Could not tell: the time of the point is not known.")
    with open_copy(target, budget) as copy:
        has_times, next_xid = copy.value(HAS_COMMIT_TIMES), copy.value(NEXT_XID)
        if has_times:
            late = _late_on_copy(copy, target.anchors, target.point_at, next_xid)
            if late:
                return _too_late(spec, target.point_at, late, "transaction")
    with open_source(target, budget) as source:
        if has_times and source.value(HAS_COMMIT_TIMES):
            return _by_unknown_commits(spec, source, target.point_at, next_xid)
        return _by_rows(spec, target, target.anchors, target.point_at, source)


def _late_on_copy(copy: Snapshot, anchors: Anchors, point_at: dt.datetime, next_xid: int) -> dt.datetime | None:
    """The latest commit of what the copy's rows were written by, if it lies after the point."""
    last = next_xid - (next_xid - anchors.boundary) % MODULUS - 1
    late, _, newest, _ = copy.row(_commits(point_at, last - MOST_LOOKED_UP, last))
    return newest if late else None


def _by_unknown_commits(spec: CheckSpec, source: Snapshot, point_at: dt.datetime, next_xid: int) -> CheckResult:
    """The first transactions that the copy does not know must be from after the point."""
    last = min(source.value(NEXT_XID), next_xid + MOST_LOOKED_UP) - 1
    _, early, _, first = source.row(_commits(point_at, next_xid, last))
    figures = {"unknown_commits_before_point": early, "looked_up": max(0, last - next_xid + 1)}
    if early:
        seconds = (point_at - first).total_seconds()
        return failed(
            spec,
            f"{early:,} transactions of the source from before the point are not on the copy, the first of them"
            f" {seconds:,.1f} s before it: the copy was recovered to an earlier time.",
            **figures,
        )
    if first is None:
        return passed(spec, "Nothing on the copy is from after the point, and nothing was committed since.", **figures)
    return passed(
        spec,
        "Nothing on the copy is from after the point; the first transaction that it does not know was committed"
        f" {(first - point_at).total_seconds():,.1f} s after it.",
        **figures,
    )


def _commits(point_at: dt.datetime, first: int, last: int) -> sql.Composed:
    return sql.SQL(_COMMITS).format(
        late=instant(point_at + POINT_SLACK),
        early=instant(point_at - POINT_SLACK),
        first=max(first, FIRST_NORMAL),
        last=last,
        modulus=MODULUS,
        normal=FIRST_NORMAL,
    )


def _too_late(spec: CheckSpec, point_at: dt.datetime, found: dt.datetime, what: str) -> CheckResult:
    seconds = (found - point_at).total_seconds()
    return failed(
        spec,
        f"The copy holds a {what} from {seconds:,.1f} s after the point: it was recovered to a later time.",
        latest_after_point_seconds=round(seconds, 3),
    )


def _by_rows(
    spec: CheckSpec, target: DrillTarget, anchors: Anchors, point_at: dt.datetime, source: Snapshot
) -> CheckResult:
    on_copy = anchors.newest_write()
    if on_copy is not None and on_copy > point_at + CLOCK_SLACK:
        return _too_late(spec, point_at, on_copy, "row")
    at_source, unread = _newest_at_source(target, source, point_at - OPEN_TRANSACTION)
    figures = {"newest_on_copy": _text(on_copy), "newest_at_source_before_point": _text(at_source), "unread": unread}
    if on_copy is None or at_source is None:
        return inconclusive(
            spec, "Could not tell: neither commit times nor rows say when something was written.", **figures
        )
    if at_source > on_copy:
        seconds = (at_source - on_copy).total_seconds()
        return failed(
            spec,
            f"The source holds a row from before the point, {seconds:,.0f} s newer than any on the copy: the copy was"
            " recovered to an earlier time, or rows are missing.",
            **figures,
        )
    return passed(
        spec,
        f"By the times in rows, to within {OPEN_TRANSACTION.total_seconds():.0f} s: nothing on the copy is from after"
        " the point, and nothing at the source from before it is newer.",
        **figures,
    )


def _newest_at_source(
    target: DrillTarget, source: Snapshot, until: dt.datetime
) -> tuple[dt.datetime | None, list[str]]:
    """The latest time of writing in any row of the source up to a moment, and the tables that were not asked."""
    newest: dt.datetime | None = None
    unread: list[str] = []
    for table in read_tables(source).values():
        columns = [c.name for c in table.write_times(target.pack.write_time_columns) if c.has_zone]
        if not columns or table.is_unlogged:
            continue
        if table.size_bytes > target.pack.largest_source_bytes or not table.is_readable:
            unread.append(table.label)
            continue
        found = source.value(_newest_until(table, columns, until))
        newest = max((moment for moment in (newest, found) if moment is not None), default=None)
    return newest, unread


def _newest_until(table: Table, columns: list[str], until: dt.datetime) -> sql.Composed:
    maxima = [
        sql.SQL("max({0}) FILTER (WHERE {0} <= {1})").format(sql.Identifier(name), instant(until)) for name in columns
    ]
    return sql.SQL("SELECT greatest({}) FROM ONLY {}").format(joined(maxima, ", "), table.identifier)


def check_newest_row(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """The measured RPO: from the newest row on the copy to the point. While nobody writes it grows without any loss."""
    newest = target.anchors.newest_write() if target.anchors else None
    if target.point_at is None:
        return inconclusive(spec, "Could not tell: the time of the point is not known.")
    if newest is None:
        return inconclusive(spec, "Could not tell: no row of the copy says when it was written.")
    seconds = (target.point_at - newest).total_seconds()
    figures: dict[str, Any] = {"newest_row_at": newest.isoformat(), "rpo_seconds": round(seconds, 3)}
    if seconds < -CLOCK_SLACK.total_seconds():
        return failed(spec, f"The newest row is from {-seconds:,.1f} s after the point.", **figures)
    objective = target.pack.rpo_objective_seconds
    measured = f"The newest row was written {max(seconds, 0):,.1f} s before the point"
    if objective is None or seconds <= objective:
        return passed(spec, f"{measured}.", **figures)
    return _beyond_objective(spec, target, budget, f"{measured}, the objective is {objective:,.0f} s", figures, newest)


def _beyond_objective(
    spec: CheckSpec, target: DrillTarget, budget: Budget, measured: str, figures: dict[str, Any], newest: dt.datetime
) -> CheckResult:
    """An old newest row is a loss only if the source holds a newer one from before the point."""
    assert target.point_at is not None  # noqa: S101 - the caller has looked
    try:
        with open_source(target, budget) as source:
            until = target.point_at - OPEN_TRANSACTION
            at_source, unread = _newest_at_source(target, source, until)
    except NotReadable as error:
        return inconclusive(spec, f"Could not tell: {measured}, and {error}.", **figures)
    if at_source is not None and at_source > newest:
        return failed(spec, f"{measured}; the source holds a newer one from before the point.", **figures)
    if unread:
        return inconclusive(spec, f"Could not tell: {measured}, and large tables were not asked.", **figures)
    return passed(spec, f"{measured}; nothing newer from before the point is at the source.", **figures)


def _text(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None
