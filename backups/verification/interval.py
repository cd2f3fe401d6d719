"""Did the restore take effect at all, and does the branch hold a transaction of the interval that was to vanish?"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from psycopg import sql

from backups.verification.catalog import Table, read_tables
from backups.verification.connection import Budget, Snapshot, joined, open_snapshot
from backups.verification.context import CheckContext, Live
from backups.verification.errors import OutOfTime
from backups.verification.results import CheckResult, CheckSpec, counted, failed, inconclusive, passed
from backups.verification.xids import FIRST_NORMAL, MODULUS, as_stored, is_fresh, is_later, xid_of_age

SERVER_CODE = "server_restarted"
INTERVAL_CODE = "no_commit_between"
MOST_TRANSACTIONS = 1_000_000
MOST_NAMED = 100_000

_NEXT_XID = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_HAS_COMMIT_TIMES = "SELECT current_setting('track_commit_timestamp')::boolean"
_COMMITS = """
    SELECT number % {modulus}, commit_at
    FROM (SELECT number, pg_catalog.pg_xact_commit_timestamp((number % {modulus})::text::pg_catalog.xid) AS commit_at
          FROM pg_catalog.generate_series({first}::bigint, {last}::bigint) AS number
          WHERE number % {modulus} >= {normal} OFFSET 0) AS given
    WHERE commit_at > {point} AND commit_at <= {submitted} LIMIT {most}"""
_CLAIMED = """
    SELECT count(*) FILTER (WHERE {between}), max(pg_catalog.age(xmin)) FILTER (WHERE {after}),
           pg_catalog.age('3'::pg_catalog.xid)::bigint
    FROM ONLY {table} AS _row WHERE {fresh}"""


def check_server(spec: CheckSpec, context: CheckContext, budget: Budget) -> CheckResult:
    """A restore always starts the server anew, so one that ran on through the submission was not restored."""
    live = context.live()
    with open_snapshot(context.branch, budget) as branch:
        started, next_xid = branch.value("SELECT pg_postmaster_start_time()"), branch.value(_NEXT_XID)
    figures = {"server_started_at": started.isoformat()}
    if started <= live.submitted_at:
        return failed(spec, "The server has been running since before the restore was submitted.", **figures)
    if is_later(live.anchors.boundary, as_stored(next_xid)):
        return failed(spec, "The branch is older than the point: transactions of the point are missing.", **figures)
    return passed(spec, "The server started after the submission.", **figures)


def check_interval(spec: CheckSpec, context: CheckContext, budget: Budget) -> CheckResult:
    """With commit times: looks every transaction up. Without: asks the columns that say when a row was written."""
    live = context.live()
    if live.point_at is None:
        return inconclusive(spec, "Could not tell: the time of the point is not known.")
    try:
        with open_snapshot(context.branch, budget) as branch:
            if branch.value(_HAS_COMMIT_TIMES):
                return _by_commit_times(spec, live, live.point_at, branch)
            return _by_columns(spec, context, live, live.point_at, branch)
    except OutOfTime:
        return inconclusive(spec, "Could not tell: the transactions could not be read in the time allowed.")


def _by_commit_times(spec: CheckSpec, live: Live, point_at: dt.datetime, branch: Snapshot) -> CheckResult:
    next_xid = branch.value(_NEXT_XID)
    if is_later(live.anchors.boundary, as_stored(next_xid)):
        return inconclusive(spec, "Could not tell: the branch is older than the point.")
    since = (next_xid - live.anchors.boundary) % MODULUS
    if since > MOST_TRANSACTIONS:
        return inconclusive(spec, f"Could not tell: {since:,} transactions since the point are too many to look up.")
    between = _commits_between(branch, live, point_at, next_xid)
    if between and not live.is_point_exact:
        # The newest write lies before the point. What the copy knows as well was committed by then.
        with open_snapshot(live.reference, branch.budget) as point:
            if not point.value(_HAS_COMMIT_TIMES):
                return inconclusive(spec, "Could not tell: the time of the point is not known.")
            between -= _commits_between(point, live, point_at, point.value(_NEXT_XID))
    figures = {"between": len(between), "looked_up": since}
    if between:
        found = counted(len(between), "transaction")
        return failed(spec, f"{found} from between the point and the submission of the restore.", **figures)
    return passed(spec, f"None of {counted(since, 'transaction')} lies between the two.", **figures)


def _commits_between(
    snapshot: Snapshot, live: Live, point_at: dt.datetime, next_xid: int
) -> set[tuple[int, dt.datetime]]:
    """Transactions from the boundary on, by id and commit time, that lie between point and submission."""
    query = sql.SQL(_COMMITS).format(
        point=_instant(point_at),
        submitted=_instant(live.submitted_at),
        first=next_xid - (next_xid - live.anchors.boundary) % MODULUS,
        last=next_xid - 1,
        modulus=MODULUS,
        normal=FIRST_NORMAL,
        most=MOST_NAMED,
    )
    return {(number, commit_at) for number, commit_at in snapshot.rows(query)}


@dataclass(frozen=True, slots=True)
class _Claimed:
    """What the columns of the tables read so far say."""

    tables: int = 0
    between: int = 0
    first_xid_after: int | None = None

    def with_xid(self, xid: int) -> _Claimed:
        is_first = self.first_xid_after is None or is_later(self.first_xid_after, xid)
        return replace(self, first_xid_after=xid) if is_first else self


def _by_columns(
    spec: CheckSpec, context: CheckContext, live: Live, point_at: dt.datetime, branch: Snapshot
) -> CheckResult:
    claimed = _Claimed()
    for table in read_tables(branch).values():
        columns = [c.name for c in table.write_times(context.policy.write_time_columns) if c.has_zone]
        if columns and table.is_readable:
            claimed = _ask_table(claimed, table, columns, live, point_at, branch)
    # Ids are given out in order: all that follow one from after the submission are from after it as well.
    figures = {"between": claimed.between, "xid_after_submission": claimed.first_xid_after}
    tables = counted(claimed.tables, "table")
    if claimed.between:
        found = counted(claimed.between, "row")
        return failed(spec, f"{found} of {tables} say they were written between point and submission.", **figures)
    if not claimed.tables:
        return inconclusive(spec, "Could not tell: neither the server nor any column keeps times of writing.")
    return passed(spec, f"No row of {tables} says it was written between point and submission.", **figures)


def _ask_table(
    claimed: _Claimed, table: Table, columns: list[str], live: Live, point_at: dt.datetime, branch: Snapshot
) -> _Claimed:
    between, oldest_age, age_of_three = branch.row(
        sql.SQL(_CLAIMED).format(
            between=_any(columns, "{0} > {1} AND {0} <= {2}", point_at, live.submitted_at),
            after=_any(columns, "{0} > {2} AND {0} <= clock_timestamp()", point_at, live.submitted_at),
            table=table.identifier,
            fresh=is_fresh(live.anchors.boundary),
        )
    )
    claimed = replace(claimed, tables=claimed.tables + 1, between=claimed.between + between)
    return claimed if oldest_age is None else claimed.with_xid(xid_of_age(oldest_age, age_of_three))


def _any(columns: list[str], template: str, point_at: dt.datetime, submitted_at: dt.datetime) -> sql.Composable:
    text = sql.SQL(template)
    return joined(
        [text.format(sql.Identifier("_row", name), _instant(point_at), _instant(submitted_at)) for name in columns],
        " OR ",
    )


def _instant(moment: dt.datetime) -> sql.Composed:
    return sql.SQL("{}::timestamptz").format(moment.isoformat())
