"""The first look at the copy: rows of each table, its youngest transaction, and who was in the middle of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from psycopg import sql

from backups.verification import anchors
from backups.verification.anchors import Anchors
from backups.verification.connection import Budget, Snapshot, open_snapshot
from backups.verification.drill.pack import DrillTarget
from backups.verification.errors import DatabaseUnreachable, NotReadable
from backups.verification.results import CheckResult, CheckSpec, Unfinished, counted, inconclusive, passed
from backups.verification.xids import FIRST_NORMAL, MODULUS

#: How far back from the youngest transaction of the copy unfinished ones are looked for, and how many are kept.
LOOKED_BACK = 100_000
MOST_IN_FLIGHT = 5000

# What was in the middle of a transaction at the point has an id from before it, and came to be only afterwards. The
# copy knows: for it, such a transaction never committed.
_IN_FLIGHT = """
    SELECT number % {modulus} FROM pg_catalog.generate_series({first}::bigint, {last}::bigint) AS number
    WHERE number % {modulus} >= {normal}
      AND pg_catalog.pg_xact_status(number::text::pg_catalog.xid8) IS DISTINCT FROM 'committed'
      AND pg_catalog.pg_xact_status(number::text::pg_catalog.xid8) IS NOT NULL
    ORDER BY number DESC LIMIT {most}"""
NEXT_XID = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


def open_copy(target: DrillTarget, budget: Budget) -> AbstractContextManager[Snapshot]:
    """A snapshot of the copy, which serves nobody, so all of its server may be used. Raises DatabaseUnreachable."""
    return open_snapshot(target.copy, budget, serves_nobody=True)


@contextmanager
def open_source(target: DrillTarget, budget: Budget) -> Iterator[Snapshot]:
    """A snapshot of the source. One that can't be reached is a reason not to know, and no reason to stop.

    Raises NotReadable.
    """
    if target.source is None:
        raise NotReadable("there is no source to compare with")
    with ExitStack() as stack:
        try:
            source = stack.enter_context(open_snapshot(target.source, budget))
        except DatabaseUnreachable as error:
            raise NotReadable(f"the source did not answer ({str(error).split('. ')[0]})") from None
        yield source


def read_copy(
    spec: CheckSpec, target: DrillTarget, budget: Budget, cursor: dict[str, Any] | None
) -> CheckResult | Unfinished:
    """Reads table after table; its figures are what the other checks learn."""
    with open_copy(target, budget) as copy:
        begun = Anchors.from_json(cursor["anchors"]) if cursor else anchors.begin(copy)
        found = anchors.go_on(begun, copy)
        if not found.unread:
            return _ended(spec, found, _in_flight(copy, found.boundary))
    stuck_on = found.unread[0] if found.unread == begun.unread else None
    if stuck_on and cursor and cursor["stuck_on"] == stuck_on:
        return inconclusive(spec, f"Could not tell: {stuck_on} can't be read in the time allowed.")
    return Unfinished(spec, {"anchors": found.to_json(), "stuck_on": stuck_on})


def _ended(spec: CheckSpec, found: Anchors, in_flight: list[int]) -> CheckResult:
    figures = found.to_json() | {"in_flight": in_flight}
    rows = counted(sum(found.rows.values()), "row")
    if found.refused:
        first = sorted(found.refused)[0]
        return inconclusive(spec, f"Could not tell: {first}: {found.refused[first]}.", **figures)
    return passed(spec, f"{rows} in {counted(len(found.rows), 'table')}.", **figures)


def _in_flight(copy: Snapshot, boundary: int) -> list[int]:
    """Ids (32 bits) from before the boundary that never committed on the copy."""
    next_xid = copy.value(NEXT_XID)
    last = next_xid - (next_xid - boundary) % MODULUS - 1
    first = max(FIRST_NORMAL, last - LOOKED_BACK)
    query = sql.SQL(_IN_FLIGHT).format(
        first=first, last=last, modulus=MODULUS, normal=FIRST_NORMAL, most=MOST_IN_FLIGHT
    )
    return [row[0] for row in copy.rows(query)]


def was_settled(target: DrillTarget) -> sql.Composed:
    """SQL over `"_row".xmin` of the source: the transaction had committed when the copy was cut off.

    Raises ValueError while the copy has not been read.
    """
    if target.anchors is None:
        raise ValueError("the copy has not been read")
    older = sql.SQL('pg_catalog.age("_row".xmin) > pg_catalog.age({}::pg_catalog.xid)').format(
        str(target.anchors.boundary)
    )
    return sql.SQL("({} AND NOT {})").format(older, in_flight_at_point(target)) if target.in_flight else older


def in_flight_at_point(target: DrillTarget) -> sql.Composable:
    """SQL over `"_row".xmin` of the source: the transaction was open when the copy was cut off."""
    if not target.in_flight:
        return sql.SQL("false")
    ids = [str(number) for number in target.in_flight]
    return sql.SQL('("_row".xmin = ANY ({}::pg_catalog.xid[]))').format(ids)
