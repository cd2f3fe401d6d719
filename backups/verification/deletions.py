"""How many rows a server says were deleted since it took writes again: the only trace that a deletion leaves."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from psycopg import sql

from backups.verification.connection import Snapshot

# Counters begin again when a server starts from a recovered copy or after a crash, and when somebody resets them.
_COUNTED = """
    SELECT current_setting('track_counts')::boolean,
           greatest((SELECT stats_reset FROM pg_catalog.pg_stat_bgwriter),
                    (SELECT stats_reset FROM pg_catalog.pg_stat_database
                     WHERE datname = pg_catalog.current_database())),
           coalesce(pg_catalog.pg_stat_get_tuples_deleted({oid}), 0),
           coalesce(pg_catalog.pg_stat_get_tuples_updated({oid}), 0)"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Deletions and updates of one table since `since`. Those rolled back are counted too, so it is an upper bound.

    Sessions report about once a second, and an idle one up to ten seconds late.
    """

    is_on: bool
    since: dt.datetime | None
    deleted: int
    updated: int

    def covers(self, moment: dt.datetime | None) -> bool:
        """Nothing that was deleted after `moment` is missing in the count."""
        return self.is_on and moment is not None and (self.since is None or self.since <= moment)

    def begins_after(self, moment: dt.datetime | None) -> bool:
        """Nothing from before `moment` is in the count."""
        return moment is not None and self.since is not None and self.since >= moment


def read_counted(snapshot: Snapshot, oid: int) -> Counted:
    return Counted(*snapshot.row(sql.SQL(_COUNTED).format(oid=oid)))
