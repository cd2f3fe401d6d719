"""What the checks of one database are given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backups.verification.anchors import CODE as ANCHORS_CODE
from backups.verification.anchors import Anchors
from backups.verification.dsn import Dsn


@dataclass(frozen=True, slots=True)
class VerificationPolicy:
    """What must hold, and how much a client may have deleted since before a person has to look.

    `required_checks` empty: every check of the plan is required. Tables are named `schema.table` or `table` (public).
    """

    required_tables: tuple[str, ...] = ()
    required_checks: frozenset[str] = frozenset()
    write_time_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deleted_rows_limit: int = 25
    deleted_share_limit: float = 0.005

    def deletions_allowed(self, rows_at_point: int) -> int:
        return max(self.deleted_rows_limit, int(rows_at_point * self.deleted_share_limit))

    def requires(self, code: str) -> bool:
        return not self.required_checks or code in self.required_checks


@dataclass(frozen=True, slots=True)
class Live:
    """What a live restore is judged by. `submitted_at` is early by the difference that two clocks may have.

    `point_at` is the newest write of the reference, somewhat before the point, when `is_point_exact` is false.
    """

    reference: Dsn
    anchors: Anchors
    point_at: dt.datetime | None
    is_point_exact: bool
    submitted_at: dt.datetime


@dataclass(frozen=True, slots=True)
class CheckContext:
    """One database of one restored branch, and what it is compared with.

    `branch`: through the branch's own connection string. `reference`: the state that the branch must have gone back
    to, held by a branch that nobody writes to (the preview copy; for an undo, a copy of the preserved branch). None
    when `branch` itself is that copy (new branch, drill): then only its own soundness is checked.
    `point_at` (T) is None when the point is an LSN whose time is not known. `submitted_at` (S): just before the
    restore was sent. `writable_at` (R): when the portal first saw the branch take writes again; clients may have been
    earlier. `known_rows`: rows at the point, table by table, as the people who approved saw them.
    """

    branch: Dsn
    reference: Dsn | None = None
    point_at: dt.datetime | None = None
    submitted_at: dt.datetime | None = None
    writable_at: dt.datetime | None = None
    policy: VerificationPolicy = field(default_factory=VerificationPolicy)
    known_rows: Mapping[str, int] = field(default_factory=dict)
    anchors: Anchors | None = None
    clock_skew_seconds: float = 0.25
    statistics_settle_seconds: float = 12.0

    def live(self) -> Live:
        """The parts that only a live restore has. Raises ValueError when they are not there yet."""
        if self.reference is None or self.anchors is None or self.submitted_at is None:
            raise ValueError("this check compares a live branch: reference, submission and anchors are needed")
        newest = self.anchors.newest_write()
        # An undo goes back to the moment of a cut, which its kept rows tell better than any clock of ours.
        is_exact = self.point_at is not None and (newest is None or newest <= self.point_at)
        skew = min(self.clock_skew_seconds, self._window_seconds(self.submitted_at) / 4)
        return Live(
            reference=self.reference,
            anchors=self.anchors,
            point_at=self.point_at if is_exact else newest,
            is_point_exact=is_exact,
            submitted_at=self.submitted_at - dt.timedelta(seconds=skew),
        )

    def _window_seconds(self, submitted_at: dt.datetime) -> float:
        return max(0.0, (submitted_at - self.point_at).total_seconds()) if self.point_at else float("inf")

    @property
    def is_live(self) -> bool:
        """True when clients write to the branch while it is checked."""
        return self.reference is not None

    def learn(self, code: str, figures: Mapping[str, Any]) -> CheckContext:
        """The context for the checks that follow a finished check with this code."""
        if code == ANCHORS_CODE and figures.get("boundary_xid") is not None:
            return replace(self, anchors=Anchors.from_json(figures))
        if self.anchors and figures.get("xid_after_submission") is not None:
            return replace(self, anchors=replace(self.anchors, xid_after_submission=figures["xid_after_submission"]))
        return self
