"""When a fresh row says that it was written: the SQL that sorts it, for servers with and without commit times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from backups.verification.catalog import Column
from backups.verification.xids import is_fresh


@dataclass(frozen=True, slots=True)
class Claims:
    """What is known about time when fresh rows of one table are judged.

    A fresh row becomes one of: 'between' (its commit, or what it says, lies between point and submission), 'replayed'
    (committed later, but carries a time from between: a client that repeats what it could not finish), 'unzoned'
    (a time without a zone falls between, which may be a matter of the zone), 'untimed' (nothing says when), or NULL:
    it was written after the submission, as it should be.
    """

    times: Sequence[Column]
    point_at: dt.datetime | None = None
    submitted_at: dt.datetime | None = None
    has_commit_times: bool = False
    xid_after_submission: int | None = None

    def expression(self) -> sql.Composable:
        if self.submitted_at is None:
            return sql.SQL("NULL::text")
        cases = self._by_commit_time() if self.has_commit_times else self._by_columns()
        whens = [sql.SQL("WHEN {} THEN {}").format(condition, word) for condition, word in cases]
        return sql.SQL("CASE {} END").format(sql.SQL(" ").join(whens))

    def _by_commit_time(self) -> list[tuple[sql.Composable, str]]:
        commit = sql.SQL('pg_catalog.pg_xact_commit_timestamp("_row".xmin)')
        return [
            (sql.SQL("{} IS NULL").format(commit), "untimed"),
            (sql.SQL("{} <= {}").format(commit, self._instant(self.submitted_at)), "between"),
            (self._any_between(zoned=True), "replayed"),
        ]

    def _by_columns(self) -> list[tuple[sql.Composable, str]]:
        return [
            (self._any_between(zoned=True), "between"),
            (self._any_between(zoned=False), "unzoned"),
            (sql.SQL("NOT coalesce({} OR {}, false)").format(self._any_after(), self._after_by_xid()), "untimed"),
        ]

    def _any_between(self, *, zoned: bool) -> sql.Composable:
        if self.point_at is None:
            return sql.SQL("false")
        template = sql.SQL("({column} > {low} AND {column} <= {high})")
        return self._any_of(template, zoned=zoned)

    def _any_after(self) -> sql.Composable:
        # A time in the future proves nothing about when the row was written.
        return self._any_of(sql.SQL("({column} > {high} AND {column} <= clock_timestamp())"), zoned=True)

    def _any_of(self, template: sql.SQL, *, zoned: bool) -> sql.Composable:
        parts = [
            template.format(
                column=sql.SQL("({} AT TIME ZONE 'UTC')").format(sql.Identifier("_row", column.name))
                if not zoned
                else sql.Identifier("_row", column.name),
                low=self._instant(self.point_at),
                high=self._instant(self.submitted_at),
            )
            for column in self.times
            if column.has_zone is zoned
        ]
        return sql.SQL("({})").format(sql.SQL(" OR ").join(parts)) if parts else sql.SQL("false")

    def _after_by_xid(self) -> sql.Composable:
        if self.xid_after_submission is None:
            return sql.SQL("false")
        return is_fresh(self.xid_after_submission)

    @staticmethod
    def _instant(moment: dt.datetime | None) -> sql.Composed:
        text = moment.isoformat() if moment else None
        return sql.SQL("{}::timestamptz").format(text)
