"""One table of a branch that clients write to again: is it what the point held, save what they did since?"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from backups.verification.catalog import Table, read_tables
from backups.verification.connection import Budget, Snapshot, open_snapshot
from backups.verification.context import CheckContext, Live
from backups.verification.difference import Difference, Pair, compare_slice
from backups.verification.errors import NotReadable, OutOfTime
from backups.verification.freshness import Claims
from backups.verification.results import CheckResult, CheckSpec, Unfinished, failed, inconclusive
from backups.verification.slices import Slicing, slicing_for
from backups.verification.table_verdict import verdict

CODE = "table_content"


@dataclass(frozen=True, slots=True)
class Progress:
    """What a cursor holds: which slice is next, and the counts so far."""

    slicing: Slicing
    seen: Difference
    compared_at: float | None = None  # seconds since 1970; set once every slice has been compared

    @classmethod
    def from_cursor(cls, cursor: dict[str, Any]) -> Progress:
        slicing = Slicing(cursor["index"], cursor["of"])
        return cls(slicing, Difference(**cursor["seen"]), cursor["compared_at"])

    def to_cursor(self) -> dict[str, Any]:
        place = {"index": self.slicing.index, "of": self.slicing.of, "compared_at": self.compared_at}
        return place | {"seen": self.seen.to_json()}


def check_table(
    spec: CheckSpec, context: CheckContext, budget: Budget, cursor: dict[str, Any] | None
) -> CheckResult | Unfinished:
    """Compares slice by slice, then judges the sum. Raises DatabaseUnreachable."""
    live = context.live()
    if refused := live.anchors.refused.get(spec.subject):
        return inconclusive(spec, f"Could not tell: at the point, {refused}.")
    progress = _start(spec, live, cursor)
    if progress.compared_at is None:
        answer = _compare_table(spec, context, live, budget, progress)
        if isinstance(answer, CheckResult):
            return answer
        progress = answer
    if not progress.slicing.is_done:
        return Unfinished(spec, progress.to_cursor())
    return verdict(spec, context, budget, progress.seen, progress.to_cursor())


def _start(spec: CheckSpec, live: Live, cursor: dict[str, Any] | None) -> Progress:
    if cursor:
        return Progress.from_cursor(cursor)
    return Progress(slicing_for(live.anchors.rows.get(spec.subject, 0)), Difference())


def _compare_table(
    spec: CheckSpec, context: CheckContext, live: Live, budget: Budget, progress: Progress
) -> CheckResult | Progress:
    with open_snapshot(live.reference, budget) as point, open_snapshot(context.branch, budget) as branch:
        at_point, now = read_tables(point).get(spec.subject), read_tables(branch).get(spec.subject)
        if at_point is None:
            return inconclusive(spec, "Could not tell: the copy at the point no longer has this table.")
        if now is None:
            return failed(spec, "The table is missing on the branch.")
        if at_point.columns != now.columns:
            return inconclusive(spec, "Could not tell: its columns are not those of the point.")
        pair = Pair(point, branch, at_point, live.anchors.boundary)
        try:
            return _compare_slices(pair, _claims(context, live, at_point, branch), progress)
        except NotReadable as error:
            return inconclusive(spec, f"Could not tell: {error}.")


def _compare_slices(pair: Pair, claims: Claims, progress: Progress) -> Progress:
    started_with = progress.slicing
    while not progress.slicing.is_done:
        try:
            seen = compare_slice(pair, progress.slicing, claims)
        except OutOfTime:
            # A whole budget was too short for one slice, so the next call tries a smaller one.
            return _refined(progress) if progress.slicing == started_with else progress
        progress = Progress(progress.slicing.advanced(), progress.seen + seen)
    return replace(progress, compared_at=time.time())


def _refined(progress: Progress) -> Progress:
    finer = progress.slicing.refined()
    if finer is None:
        raise NotReadable("it can't be read in the time allowed")
    return replace(progress, slicing=finer)


def _claims(context: CheckContext, live: Live, table: Table, branch: Snapshot) -> Claims:
    return Claims(
        times=table.write_times(context.policy.write_time_columns),
        point_at=live.point_at,
        submitted_at=live.submitted_at,
        has_commit_times=branch.value("SELECT current_setting('track_commit_timestamp')::boolean"),
        xid_after_submission=live.anchors.xid_after_submission,
    )
