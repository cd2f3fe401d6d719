"""How two states of one table differ, found by hashes: no value of a row leaves the servers."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

from psycopg import sql

from backups.verification.catalog import Table
from backups.verification.connection import Row, Snapshot, joined
from backups.verification.freshness import Claims
from backups.verification.slices import Slicing, condition, key_hash, row_text
from backups.verification.xids import is_fresh

BUCKETS = 4096

# Halves of a hash are summed as integers, which is much quicker than one sum of 64-bit numbers. OFFSET 0 keeps
# PostgreSQL from working a hash out once for each of its uses.
_POINT_BUCKETS = """
    SELECT bucket, count(*), sum((hash >> 32)::int), sum((hash & 2147483647)::int)
    FROM (SELECT ({key} & {mask})::int AS bucket, {row} AS hash
          FROM ONLY {table} AS _row WHERE {part} OFFSET 0) AS seen
    GROUP BY bucket"""
_BRANCH_BUCKETS = """
    SELECT bucket, count(*) FILTER (WHERE NOT fresh), sum((hash >> 32)::int) FILTER (WHERE NOT fresh),
           sum((hash & 2147483647)::int) FILTER (WHERE NOT fresh), count(*) FILTER (WHERE fresh),
           count(*) FILTER (WHERE claim = 'between'), count(*) FILTER (WHERE claim = 'replayed'),
           count(*) FILTER (WHERE claim = 'unzoned'), count(*) FILTER (WHERE claim = 'untimed')
    FROM (SELECT ({key} & {mask})::int AS bucket, {row} AS hash, {fresh} AS fresh,
                 CASE WHEN {fresh} THEN {claim} END AS claim
          FROM ONLY {table} AS _row WHERE {part} OFFSET 0) AS seen
    GROUP BY bucket"""


@dataclass(frozen=True, slots=True)
class Difference:
    """Counts of rows; those of several slices add up.

    at_point   rows of the copy at the point
    settled    rows of the branch that are from before the boundary
    fresh      rows of the branch written at or after it
    changed    rows of the copy whose key is on the branch in a fresh row
    gone       rows of the copy that are on the branch in no form
    strange    settled rows of the branch that the copy does not hold: impossible after a correct restore
    between, replayed, unzoned, untimed: fresh rows, by when they say they were written (see freshness.py)
    """

    at_point: int = 0
    settled: int = 0
    fresh: int = 0
    changed: int = 0
    gone: int = 0
    strange: int = 0
    between: int = 0
    replayed: int = 0
    unzoned: int = 0
    untimed: int = 0

    def __add__(self, other: Difference) -> Difference:
        return Difference(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def now(self) -> int:
        return self.settled + self.fresh

    def to_json(self) -> dict[str, int]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Pair:
    """The same table on both sides, each in its own snapshot. `keys_only`: the columns differ, so only keys compare.
    `open_at_point`: ids (32 bits) of transactions from before the boundary that were committed after the point."""

    point: Snapshot
    branch: Snapshot
    table: Table
    boundary: int
    keys_only: bool = False
    open_at_point: tuple[int, ...] = ()

    def is_fresh(self) -> sql.Composable:
        """SQL over `_row` of the branch: written after the point."""
        if not self.open_at_point:
            return is_fresh(self.boundary)
        ids = [str(number) for number in self.open_at_point]
        return sql.SQL('({} OR "_row".xmin = ANY ({}::pg_catalog.xid[]))').format(is_fresh(self.boundary), ids)

    def bounds(self) -> tuple[int, int] | None:
        """Smallest and largest key of the point, if it is one integer; asks the server."""
        name = self.table.integer_key
        if name is None:
            return None
        query = sql.SQL("SELECT min({name}), max({name}) FROM ONLY {table}")
        low, high = self.point.row(query.format(name=sql.Identifier(name), table=self.table.identifier))
        return None if low is None else (low, high)

    def row_hash(self, seed: int) -> sql.Composed:
        if self.keys_only:
            return key_hash(self.table)
        return sql.SQL("pg_catalog.hashtextextended({}, {})").format(row_text(), seed)


def compare_slice(pair: Pair, slicing: Slicing, claims: Claims) -> Difference:
    """Compares one slice. Raises OutOfTime, NotReadable, DatabaseUnreachable."""
    part = condition(pair.table, slicing, pair.bounds() if slicing.of > 1 else None)
    seed = secrets.randbits(62)
    at_point, branch = ask_both(pair, _point_buckets(pair, part, seed), _branch_buckets(pair, part, seed, claims))
    counted = Difference(
        at_point=_total(row[1] for row in at_point),
        settled=_total(row[1] for row in branch),
        fresh=_total(row[4] for row in branch),
        between=_total(row[5] for row in branch),
        replayed=_total(row[6] for row in branch),
        unzoned=_total(row[7] for row in branch),
        untimed=_total(row[8] for row in branch),
    )
    # A bucket is its number, how many rows and two sums of hashes; one without settled rows is the same as none.
    differing = {row[0] for row in {row[:4] for row in at_point} ^ {row[:4] for row in branch if row[1]}}
    return counted + _compare_rows(pair, part, seed, differing) if differing else counted


def _compare_rows(pair: Pair, part: sql.Composable, seed: int, buckets: set[int]) -> Difference:
    if len(buckets) < BUCKETS // 2:
        in_buckets = sql.SQL("({} & {})::int = ANY ({})").format(key_hash(pair.table), BUCKETS - 1, sorted(buckets))
        part = joined([part, in_buckets], " AND ")
    point, branch = ask_both(pair, _point_rows(pair, part, seed), _branch_rows(pair, part, seed))
    missing = Counter(point)
    missing.subtract((key, row) for key, row, fresh in branch if not fresh)
    fresh_keys = {key for key, _, fresh in branch if fresh} if pair.table.key else set()
    lacking = [(key, times) for (key, _), times in missing.items() if times > 0]
    changed = _total(times for key, times in lacking if key in fresh_keys)
    return Difference(
        changed=changed,
        gone=_total(times for _, times in lacking) - changed,
        strange=-_total(times for times in missing.values() if times < 0),
    )


def ask_both(pair: Pair, of_point: sql.Composed, of_branch: sql.Composed) -> tuple[list[Row], list[Row]]:
    """Two servers work at the same time."""
    with ThreadPoolExecutor(max_workers=1) as other:
        at_point = other.submit(pair.point.rows, of_point)
        branch = pair.branch.rows(of_branch)
        return at_point.result(), branch


def _total(numbers: Iterable[int]) -> int:
    return sum(numbers)


def _point_buckets(pair: Pair, part: sql.Composable, seed: int) -> sql.Composed:
    return sql.SQL(_POINT_BUCKETS).format(**_common(pair, part, seed))


def _branch_buckets(pair: Pair, part: sql.Composable, seed: int, claims: Claims) -> sql.Composed:
    fresh = pair.is_fresh()
    return sql.SQL(_BRANCH_BUCKETS).format(**_common(pair, part, seed), fresh=fresh, claim=claims.expression())


def _point_rows(pair: Pair, part: sql.Composable, seed: int) -> sql.Composed:
    return sql.SQL("SELECT {key}, {row} FROM ONLY {table} AS _row WHERE {part}").format(**_common(pair, part, seed))


def _branch_rows(pair: Pair, part: sql.Composable, seed: int) -> sql.Composed:
    return sql.SQL("SELECT {key}, {row}, {fresh} FROM ONLY {table} AS _row WHERE {part}").format(
        **_common(pair, part, seed), fresh=pair.is_fresh()
    )


def _common(pair: Pair, part: sql.Composable, seed: int) -> dict[str, Any]:
    return {
        "key": key_hash(pair.table),
        "row": pair.row_hash(seed),
        "table": pair.table.identifier,
        "part": part,
        "mask": BUCKETS - 1,
    }
