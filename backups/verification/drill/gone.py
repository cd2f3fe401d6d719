"""Rows that the copy holds and the source does not: deleted there since, or never there?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from psycopg import sql

from backups.verification.catalog import Table
from backups.verification.connection import Snapshot
from backups.verification.context import VerificationPolicy
from backups.verification.deletions import Counted, read_counted
from backups.verification.drill.pack import DrillTarget

#: How often the counters are asked again: sessions report their deletions late.
POLL_SECONDS = 2.0

_FILE = "SELECT pg_catalog.pg_relation_filenode({}::pg_catalog.oid)::bigint"


class Explanation(StrEnum):
    """What the source's counters say about rows that are gone there."""

    DELETED = "deleted"  # it counted as many deletions, or they are few
    UNCLEAR = "unclear"
    NEVER_THERE = "never there"  # it counted fewer, and nothing else takes rows away


@dataclass(frozen=True, slots=True)
class Counters:
    """What is known of one table of the source. `is_rewritten`: by TRUNCATE or VACUUM FULL, which count no deletions.
    `reach_back`: they began to count before the point."""

    counted: Counted
    is_rewritten: bool
    reach_back: bool
    has_key: bool

    def explain(self, gone: int, rows_on_copy: int) -> Explanation:
        # Without a key an updated row looks like one that is gone and a new one.
        counted = self.counted.deleted + (0 if self.has_key else self.counted.updated)
        if gone <= counted:
            return Explanation.DELETED
        if not self.reach_back:
            is_little = gone <= VerificationPolicy().deletions_allowed(rows_on_copy)
            return Explanation.DELETED if is_little else Explanation.UNCLEAR
        # An update of the key itself makes a row look gone as well.
        if self.is_rewritten or (self.has_key and self.counted.updated):
            return Explanation.UNCLEAR
        return Explanation.NEVER_THERE


def read_counters(target: DrillTarget, copy: Snapshot, source: Snapshot, on_copy: Table, at_source: Table) -> Counters:
    """Raises OutOfTime, NotReadable, DatabaseUnreachable."""
    files = [side.value(sql.SQL(_FILE).format(table.oid)) for side, table in ((copy, on_copy), (source, at_source))]
    counted = read_counted(source, at_source.oid)
    return Counters(
        counted=counted,
        is_rewritten=files[0] != files[1],
        reach_back=counted.covers(target.point_at),
        has_key=bool(at_source.key),
    )


def wait_for_counters(target: DrillTarget, cursor: dict[str, Any] | None) -> dict[str, Any] | None:
    """A cursor for asking again, or None when the counters have had their time."""
    since = (cursor or {}).get("waiting_since") or time.time()
    return {"waiting_since": since} if time.time() - since < target.statistics_settle_seconds else None
