"""Changes at Neon that no order of the portal explains, found by comparing two looks. Each is found once.

What an unsettled order could explain is left as it was remembered, so that the next look judges it again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backups.domain.execution import BranchFate, BranchPurpose
from backups.domain.monitor import FindingCode, Observation, Severity
from backups.neon.types import Operation
from backups.services.monitor.comparison import Comparison, text_of
from backups.services.monitor.explanations import CLOCK_ALLOWANCE, Explanations, Word
from backups.services.monitor.memory import KnownBranch, Memory
from backups.services.monitor.outside_lists import compare_history, compare_schedules, compare_snapshots
from backups.services.monitor.scene import Scene

#: What Neon does when it overwrites a branch that was there before (its own word is not documented).
_RESETTING = frozenset({"create_branch"})
#: Of one finding's evidence.
_MOST_IDS = 20


@dataclass(frozen=True, slots=True)
class Compared:
    """What was changed outside the portal, and what to remember for the next look."""

    found: list[Observation]
    memory: Memory
    judged_operations: list[str]


def compare(scene: Scene, explained: Explanations, seen: Memory) -> Compared:
    """What was changed outside the portal since the last look, and what to remember now."""
    comparison = Comparison(scene, explained, seen)
    before = scene.before
    if before.branches is not None and seen.branches is not None:
        _compare_branches(comparison, before.branches, seen.branches)
    if before.snapshots is not None and seen.snapshots is not None:
        compare_snapshots(comparison, before.snapshots, seen.snapshots)
    compare_schedules(comparison)
    compare_history(comparison)
    return Compared(comparison.found, _to_remember(comparison), _judged(comparison))


def _compare_branches(c: Comparison, before: Mapping[str, KnownBranch], seen: Mapping[str, KnownBranch]) -> None:
    for branch_id, known in before.items():
        now = seen.get(branch_id)
        if _exchanged(c, branch_id, known, seen):
            continue
        if now is None:
            _gone(c, branch_id, known)
            continue
        if c.explained.is_part_of_our_exchange(branch_id, now.restored_from):
            c.covered |= {each.id for each in _resets(c, branch_id)}
            continue
        _reset(c, branch_id, known, now)
        _marks(c, branch_id, known, now)


def _exchanged(c: Comparison, branch_id: str, known: KnownBranch, seen: Mapping[str, KnownBranch]) -> bool:
    """Whether a branch that came from a snapshot has taken this one's place and name."""
    if c.explained.exchange_under_way:
        c.undecided.add(branch_id)
        return True
    holder = next(((key, each) for key, each in seen.items() if each.name == known.name), None)
    if holder is None or holder[0] == branch_id or not holder[1].restored_from or c.governed(branch_id) is None:
        return False
    if c.explained.exchange(holder[1].restored_from) is Word.OUTSIDE:
        evidence = {
            "new_branch": holder[0],
            "snapshot": holder[1].restored_from,
            "kept_as": seen[branch_id].name if branch_id in seen else None,
        }
        _report_restore(
            c, branch_id, f"{branch_id}>{holder[0]}", f"{known.name} was replaced from a snapshot", evidence
        )
    return True


def _gone(c: Comparison, branch_id: str, known: KnownBranch) -> None:
    word = c.explained.deletion(branch_id)
    if word is Word.PERHAPS:
        c.undecided.add(branch_id)
    expired = known.expires_at is not None and known.expires_at <= c.scene.now + CLOCK_ALLOWANCE
    if word is not Word.OUTSIDE or expired or not _matters(c, branch_id):
        return
    evidence = {"name": known.name, "was_root": known.is_root} | _operations(c, branch_id)
    c.report(
        FindingCode.DELETED_OUTSIDE,
        branch_id,
        subject=branch_id,
        sentence=f"The branch {known.name} is not at Neon any more, and no request of the portal removed it.",
        evidence=evidence,
        severity=Severity.CRITICAL if c.governed(branch_id) is not None else Severity.WARNING,
    )


def _matters(c: Comparison, branch_id: str) -> bool:
    """Branches in care, kept states and copies in use; other copies are told of as missing, and come back."""
    if c.governed(branch_id) is not None:
        return True
    return any(
        row.neon_branch_id == branch_id
        and row.fate != BranchFate.GONE
        and (row.purpose == BranchPurpose.PRESERVED or row.fate == BranchFate.HANDED_OVER)
        for row in c.scene.owned
    )


def _reset(c: Comparison, branch_id: str, known: KnownBranch, now: KnownBranch) -> None:
    if now.last_reset_at is not None and now.last_reset_at != known.last_reset_at:
        word = c.explained.reset(branch_id, now.last_reset_at)
        if word is Word.PERHAPS:
            c.undecided.add(branch_id)
        if word is Word.OUTSIDE:
            subject = f"{branch_id}@{now.last_reset_at.isoformat()}"
            times = {"last_reset_at": text_of(now.last_reset_at), "previous_reset_at": text_of(known.last_reset_at)}
            _report_restore(c, branch_id, subject, f"{known.name} was overwritten", times)
            c.covered |= {each.id for each in _resets(c, branch_id)}
            return
    if _was_reset_lately(c, now):
        _reset_by_operation(c, branch_id, known)


def _reset_by_operation(c: Comparison, branch_id: str, known: KnownBranch) -> None:
    """Neon counts resets in whole seconds and shows the last one only: one more within that second, or after an order
    of ours, is told by its operation. What the list of branches was too early to show waits for the next look."""
    if c.explained.reset(branch_id, c.scene.now) is Word.PERHAPS:
        return
    for operation in _resets(c, branch_id):
        at = operation.created_at
        if at is None or at > c.settled or _made_the_branch(known, at):
            continue
        c.covered.add(operation.id)
        _report_restore(c, branch_id, f"{branch_id}@{operation.id}", f"{known.name} was overwritten", {})


def _was_reset_lately(c: Comparison, now: KnownBranch) -> bool:
    """Neon's word for the operation is not its own for restores, so alone it accuses nobody."""
    since = (c.before.at or c.scene.now) - 2 * CLOCK_ALLOWANCE
    return now.last_reset_at is not None and now.last_reset_at >= since


def _resets(c: Comparison, branch_id: str) -> list[Operation]:
    return [each for each in c.foreign_operations(branch_id) if each.action in _RESETTING]


def _made_the_branch(known: KnownBranch, at: dt.datetime) -> bool:
    """Neon uses the same word for making a branch."""
    return known.created_at is None or abs(at - known.created_at) <= dt.timedelta(seconds=10)


def _report_restore(c: Comparison, branch_id: str, subject: str, what: str, evidence: Mapping[str, Any]) -> None:
    c.report(
        FindingCode.RESTORED_OUTSIDE,
        branch_id,
        subject=subject,
        sentence=f"{what} with Neon's own tools; no request of the portal ordered it.",
        evidence=dict(evidence) | _operations(c, branch_id) | {"new_branches": _new_branches(c)},
        severity=Severity.CRITICAL if c.governed(branch_id) is not None else Severity.WARNING,
    )


def _marks(c: Comparison, branch_id: str, known: KnownBranch, now: KnownBranch) -> None:
    if c.governed(branch_id) is None:
        return
    for word, was, is_now in (
        ("protection", known.is_protected, now.is_protected),
        ("default mark", known.is_default, now.is_default),
    ):
        if was is None or is_now is None or was == is_now:
            continue
        deed = "was given" if is_now else "lost"
        c.report(
            FindingCode.PROTECTION_OUTSIDE,
            branch_id,
            subject=f"{branch_id}:{word}:{is_now}@{text_of(c.scene.now)}",
            sentence=f"{known.name} {deed} its {word} at Neon; the portal did not do that.",
            evidence={"what": word, "before": was, "now": is_now} | _operations(c, branch_id),
            severity=Severity.NOTICE if is_now else Severity.WARNING,
        )


def _to_remember(c: Comparison) -> Memory:
    """What was seen, save for what an unsettled order may yet explain."""
    before, seen = c.before, c.seen
    if not c.undecided or before.branches is None or seen.branches is None:
        return seen
    kept = {key: value for key, value in before.branches.items() if key in c.undecided}
    return replace(seen, branches=dict(seen.branches) | kept)


def _judged(c: Comparison) -> list[str]:
    """Operations that need no second look; those on undecided branches do, and so do the youngest."""
    listed = c.scene.facts.operations.value or ()
    done = [each for each in listed if each.created_at is not None and each.created_at <= c.settled]
    return [*{each.id for each in done if each.branch_id not in c.undecided} | c.covered]


def _operations(c: Comparison, branch_id: str) -> dict[str, Any]:
    found = c.foreign_operations(branch_id)[:_MOST_IDS]
    return {
        "operations": [operation.id for operation in found],
        "operation_times": [f"{operation.action} {text_of(operation.created_at)}" for operation in found],
    }


def _new_branches(c: Comparison) -> list[str]:
    """Ids and names of branches that nobody remembers: the state before the restore is among them, if it was kept."""
    known, seen = c.before.branches or {}, c.seen.branches or {}
    made = {row.neon_branch_id for row in c.scene.owned}
    return [f"{key} {each.name}" for key, each in seen.items() if key not in known and key not in made][:_MOST_IDS]
