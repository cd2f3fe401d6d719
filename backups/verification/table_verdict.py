"""From the counts of one table to a result, and the sentence that a person reads."""

from __future__ import annotations

import time
from typing import Any

from backups.verification.catalog import read_tables
from backups.verification.connection import Budget, open_snapshot
from backups.verification.context import CheckContext
from backups.verification.deletions import Counted, read_counted
from backups.verification.difference import Difference
from backups.verification.results import CheckResult, CheckSpec, Unfinished, counted, failed, inconclusive, passed

COUNTERS_POLL_SECONDS = 0.3


def verdict(
    spec: CheckSpec, context: CheckContext, budget: Budget, seen: Difference, cursor: dict[str, Any]
) -> CheckResult | Unfinished:
    """Judges a compared table; asks to be called again while counts of deletions may still be on their way."""
    if proven := _impossible(seen):
        return failed(spec, proven, **seen.to_json())
    if spec.subject in context.live().anchors.wrapped:
        return inconclusive(spec, "Could not tell: its oldest rows carry reused transaction ids.", **seen.to_json())
    if seen.gone:
        return _judge_gone(spec, context, budget, seen, cursor)
    return _judge_fresh(spec, seen)


def _impossible(seen: Difference) -> str | None:
    """What no client can have done after a correct restore."""
    if seen.strange:
        return (
            f"{counted(seen.strange, 'row')} of the branch, by id from before the point, that the point did not hold."
        )
    if seen.between:
        return f"{counted(seen.between, 'row')} written between the point and the submission of the restore."
    return None


def _judge_gone(
    spec: CheckSpec, context: CheckContext, budget: Budget, seen: Difference, cursor: dict[str, Any]
) -> CheckResult | Unfinished:
    with open_snapshot(context.branch, budget) as branch:
        table = read_tables(branch).get(spec.subject)
        if table is None:
            return failed(spec, "The table is missing on the branch.", **seen.to_json())
        server = read_counted(branch, table.oid)
    explained = server.deleted + (0 if table.key else server.updated)
    figures = seen.to_json() | {"deletions_counted": server.deleted}
    if seen.gone > explained:
        waited_seconds = time.time() - cursor["compared_at"]
        return _unexplained(spec, context, server, figures, waited_seconds, cursor)
    if doubt := _doubt_about_deletions(context, server, seen, has_key=bool(table.key)):
        return inconclusive(spec, f"Could not tell: {doubt}.", **figures)
    return _judge_fresh(spec, seen)


def _unexplained(
    spec: CheckSpec,
    context: CheckContext,
    server: Counted,
    figures: dict[str, Any],
    waited_seconds: float,
    cursor: dict[str, Any],
) -> CheckResult | Unfinished:
    gone = counted(figures["gone"], "row")
    if not server.covers(context.writable_at):
        return inconclusive(
            spec, f"Could not tell: {gone} gone, and the server's counters began after the restore.", **figures
        )
    if waited_seconds < context.statistics_settle_seconds:
        return Unfinished(spec, cursor, retry_after_seconds=COUNTERS_POLL_SECONDS)
    return failed(
        spec, f"{gone} of the point gone, but the server counted {server.deleted:,} deletions since.", **figures
    )


def _doubt_about_deletions(context: CheckContext, server: Counted, seen: Difference, *, has_key: bool) -> str | None:
    gone = counted(seen.gone, "row")
    if not has_key:
        return f"{gone} changed or deleted since, and without a key new rows can't be paired with old ones"
    if not server.begins_after(context.live().submitted_at):
        return f"{gone} gone, and the server's counters also hold deletions from before the restore"
    allowed = context.policy.deletions_allowed(seen.at_point)
    if seen.gone > allowed:
        return f"{gone} deleted since by clients, more than the {allowed:,} that pass without a look"
    return None


def _judge_fresh(spec: CheckSpec, seen: Difference) -> CheckResult:
    figures = seen.to_json()
    if seen.replayed:
        rows = counted(seen.replayed, "row")
        return inconclusive(spec, f"Could not tell: {rows} written since, with times from before it.", **figures)
    if seen.unzoned:
        rows = counted(seen.unzoned, "row")
        return inconclusive(spec, f"Could not tell: {rows} with a time without a zone in the lost interval.", **figures)
    if seen.untimed:
        rows = counted(seen.untimed, "row")
        return inconclusive(spec, f"Could not tell: written to since; {rows} without a time of writing.", **figures)
    return passed(spec, _what_holds(seen), **figures)


def _what_holds(seen: Difference) -> str:
    unchanged = seen.at_point - seen.changed - seen.gone
    added = seen.fresh - seen.changed
    parts = [f"{unchanged:,} of {counted(seen.at_point, 'row')} as at the point"]
    for number, word in ((seen.changed, "changed"), (seen.gone, "deleted"), (added, "added")):
        if number > 0:
            parts.append(f"{number:,} {word} since by clients")
    return "; ".join(parts) + "."
