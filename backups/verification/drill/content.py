"""One table of the copy against its source: equal fingerprints, or every difference explained by writes since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql

from backups.verification.catalog import Table, read_table
from backups.verification.connection import Budget, Snapshot
from backups.verification.difference import Difference, Pair, ask_both, compare_slice
from backups.verification.drill.gone import (
    POLL_SECONDS,
    Counters,
    Explanation,
    read_counters,
    wait_for_counters,
)
from backups.verification.drill.pack import DrillTarget
from backups.verification.drill.reading import open_copy, open_source, was_settled
from backups.verification.drill.rows import doubt_about_source
from backups.verification.errors import OutOfTime
from backups.verification.fingerprint import (
    Fingerprint,
    RowHash,
    fingerprint_of,
    fingerprint_query,
    read_row_hash,
)
from backups.verification.freshness import Claims
from backups.verification.results import CheckResult, CheckSpec, Unfinished, counted, failed, inconclusive, passed
from backups.verification.slices import Slicing, condition, slicing_for

#: Half of a budget on a small server; where it takes longer, slices become finer.
ROWS_PER_SLICE = 5_000_000


@dataclass(frozen=True, slots=True)
class Progress:
    """What a cursor holds: the next slice, the fingerprints so far, and what differed."""

    slicing: Slicing
    seed: int
    copy: Fingerprint
    settled: Fingerprint
    seen: Difference

    @classmethod
    def from_cursor(cls, cursor: dict[str, Any]) -> Progress:
        return cls(
            Slicing(cursor["index"], cursor["of"]),
            cursor["seed"],
            Fingerprint.from_json(cursor["copy"]),
            Fingerprint.from_json(cursor["settled"]),
            Difference(**cursor["seen"]),
        )

    def to_cursor(self) -> dict[str, Any]:
        return {
            "index": self.slicing.index,
            "of": self.slicing.of,
            "seed": self.seed,
            "copy": self.copy.to_json(),
            "settled": self.settled.to_json(),
            "seen": self.seen.to_json(),
        }


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both snapshots of one table, and how its rows are hashed."""

    pair: Pair
    row_hash: RowHash
    settled: sql.Composed
    counters: Counters


def check_content(
    spec: CheckSpec, target: DrillTarget, budget: Budget, cursor: dict[str, Any] | None
) -> CheckResult | Unfinished:
    """Slice by slice: fingerprint of the copy against that of the source's rows from before the point; where they
    differ, row by row by hashes. A row of the source from before the point that the copy does not hold fails."""
    begun = Progress.from_cursor(cursor) if cursor else _beginning(spec, target)
    with (
        open_copy(target, budget) as copy,
        open_source(target, budget) as source,
    ):
        on_copy, at_source = read_table(copy, spec.subject), read_table(source, spec.subject)
        if on_copy is None:
            return failed(spec, "The table is missing on the copy.")
        if at_source is None:
            return inconclusive(spec, "Could not tell: the source no longer has this table.")
        if doubt := _doubt(target, on_copy, at_source):
            return inconclusive(spec, f"Could not tell: {doubt}.")
        sides = _sides(target, copy, source, on_copy, at_source)
        progress = _go_on(sides, begun)
    if progress is None:
        return inconclusive(spec, "Could not tell: it can't be read in the time allowed.")
    if not progress.slicing.is_done:
        return Unfinished(spec, progress.to_cursor())
    if _explained(progress, sides) is not Explanation.DELETED and (waiting := wait_for_counters(target, cursor)):
        return Unfinished(spec, progress.to_cursor() | waiting, retry_after_seconds=POLL_SECONDS)
    return _judge(spec, progress, sides)


def _explained(progress: Progress, sides: _Sides) -> Explanation:
    return sides.counters.explain(progress.seen.gone, progress.seen.at_point)


def _beginning(spec: CheckSpec, target: DrillTarget) -> Progress:
    rows = target.anchors.rows.get(spec.subject, 0) if target.anchors else 0
    slicing = slicing_for(rows, rows_per_slice=ROWS_PER_SLICE)
    return Progress(slicing, target.seed_for(spec.subject), Fingerprint(), Fingerprint(), Difference())


def _doubt(target: DrillTarget, on_copy: Table, at_source: Table) -> str | None:
    if on_copy.columns != at_source.columns:
        return "the columns at the source are not those of the copy"
    return doubt_about_source(target, at_source)


def _sides(target: DrillTarget, copy: Snapshot, source: Snapshot, table: Table, at_source: Table) -> _Sides:
    if target.anchors is None:
        raise ValueError("the copy has not been read")
    pair = Pair(copy, source, table, target.anchors.boundary, open_at_point=target.in_flight)
    counters = read_counters(target, copy, source, table, at_source)
    return _Sides(pair, read_row_hash(copy, table), was_settled(target), counters)


def _go_on(sides: _Sides, progress: Progress) -> Progress | None:
    """None: not even a small slice can be read in a whole budget."""
    begun_with = progress.slicing
    bounds = sides.pair.bounds() if begun_with.of > 1 else None
    while not progress.slicing.is_done:
        try:
            progress = _with_slice(sides, progress, bounds)
        except OutOfTime:
            return progress if progress.slicing != begun_with else _refined(progress)
    return progress


def _refined(progress: Progress) -> Progress | None:
    finer = progress.slicing.refined()
    return replace(progress, slicing=finer) if finer else None


def _with_slice(sides: _Sides, progress: Progress, bounds: tuple[int, int] | None) -> Progress:
    pair = sides.pair
    part = condition(pair.table, progress.slicing, bounds)
    settled_part = sql.SQL("({}) AND {}").format(part, sides.settled)
    on_copy, settled = map(
        fingerprint_of,
        ask_both(
            pair,
            fingerprint_query(pair.table, sides.row_hash, progress.seed, part),
            fingerprint_query(pair.table, sides.row_hash, progress.seed, settled_part),
        ),
    )
    if on_copy == settled:
        seen = Difference(at_point=on_copy.rows, settled=settled.rows)
    else:
        seen = compare_slice(pair, progress.slicing, Claims(times=()))
    return Progress(
        progress.slicing.advanced(),
        progress.seed,
        progress.copy + on_copy,
        progress.settled + settled,
        progress.seen + seen,
    )


def _judge(spec: CheckSpec, progress: Progress, sides: _Sides) -> CheckResult:
    seen = progress.seen
    same = seen.at_point - seen.changed - seen.gone
    figures = {
        "rows": progress.copy.rows, "fingerprint": progress.copy.hexadecimal(),
        "source_rows_before_point": progress.settled.rows, "source_fingerprint": progress.settled.hexadecimal(),
        "same": same, "changed_since": seen.changed, "gone_since": seen.gone, "missing_or_other": seen.strange,
        "deletions_counted": sides.counters.counted.deleted,
        "by_text": list(sides.row_hash.by_text),
    }  # fmt: skip
    if seen.strange:
        return failed(
            spec,
            f"{counted(seen.strange, 'row')} of the source from before the point missing or different on the copy.",
            **figures,
        )
    if progress.copy == progress.settled:
        return passed(
            spec, f"{counted(same, 'row')}, same fingerprint as the source's from before the point.", **figures
        )
    explained = _explained(progress, sides)
    counted_there = f"which counted {sides.counters.counted.deleted:,} deletions"
    if explained is Explanation.NEVER_THERE:
        return failed(
            spec, f"{counted(seen.gone, 'row')} of the copy not at the source, {counted_there} since.", **figures
        )
    if explained is Explanation.UNCLEAR:
        gone = f"{counted(seen.gone, 'row')} of the copy no longer at the source"
        return inconclusive(spec, f"Could not tell: {gone}, {counted_there}.", **figures)
    if same == 0 and seen.at_point:
        return inconclusive(spec, "Could not tell: every row was changed or deleted at the source since.", **figures)
    return passed(
        spec,
        f"{same:,} of {counted(seen.at_point, 'row')} the same at the source; {seen.changed:,} changed and"
        f" {seen.gone:,} deleted there since.",
        **figures,
    )
