"""Snapshots, schedules and the history window that were changed and that no order of the portal explains."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from backups.domain.monitor import FindingCode, Observation, Severity
from backups.services.monitor.comparison import Comparison, text_of
from backups.services.monitor.explanations import CLOCK_ALLOWANCE, Word
from backups.services.monitor.memory import KnownSnapshot
from backups.services.monitor.scene import rule_of


def compare_snapshots(c: Comparison, before: Mapping[str, KnownSnapshot], seen: Mapping[str, KnownSnapshot]) -> None:
    still_there = c.seen.branches or {}
    for snapshot_id, known in before.items():
        if snapshot_id in seen or _was_due(known, c.scene.now) or known.source not in still_there:
            continue
        if c.explained.snapshot_deletion(snapshot_id, known.name) is not Word.OUTSIDE:
            continue
        taken = text_of(known.created_at)
        c.report(
            FindingCode.SNAPSHOT_DELETED_OUTSIDE,
            known.source,
            subject=snapshot_id,
            sentence=f"The snapshot {known.name} was deleted before its time; the portal did not do that.",
            evidence={"snapshot": snapshot_id, "name": known.name, "taken_at": taken, "by_hand": known.manual},
            severity=Severity.WARNING,
        )


def _was_due(known: KnownSnapshot, now: dt.datetime) -> bool:
    """Neon removes a snapshot when it expires; a scheduled one lives for 35 days at most."""
    if known.expires_at is not None:
        return known.expires_at <= now + CLOCK_ALLOWANCE
    longest = dt.timedelta(days=35)
    return known.manual is False and known.created_at is not None and known.created_at + longest <= now


def compare_schedules(c: Comparison) -> None:
    if c.explained.exchange_under_way:
        return
    for branch_id, now in c.seen.schedules.items():
        known = c.before.schedules.get(branch_id)
        if known is None or known.items == now.items or c.governed(branch_id) is None:
            continue
        items = [rule_of(item) for item in now.items]
        if c.explained.schedule(branch_id, items) is not Word.OUTSIDE:
            continue
        was, is_now = _rules(known.items), _rules(now.items)
        c.report(
            FindingCode.SCHEDULE_OUTSIDE,
            branch_id,
            subject=f"{branch_id}@{text_of(c.scene.now)}",
            sentence=f"The backup schedule was changed at Neon: from {_joined(was)} to {_joined(is_now)}.",
            evidence={"before": was, "now": is_now},
            severity=Severity.WARNING,
        )


def compare_history(c: Comparison) -> None:
    was, is_now = c.before.history_seconds, c.seen.history_seconds
    if was is None or is_now is None or was == is_now or c.explained.history(is_now) is not Word.OUTSIDE:
        return
    shorter = is_now < was
    change = f"made {'shorter' if shorter else 'longer'} at Neon, from {was / 3600:g} to {is_now / 3600:g} hours"
    consequence = "Older points are gone." if shorter else "Older points come with time."
    c.found.append(
        Observation(
            code=FindingCode.HISTORY_OUTSIDE,
            subject=f"{is_now}@{text_of(c.scene.now)}",
            sentence=f"The history window was {change}. {consequence}",
            evidence={
                "before_seconds": was,
                "now_seconds": is_now,
                "between": [text_of(c.before.at), text_of(c.scene.now)],
            },
            severity=Severity.CRITICAL if shorter else Severity.NOTICE,
        )
    )


def _rules(items: Iterable[Any]) -> list[str]:
    return [rule_of(item).words for item in items]


def _joined(rules: list[str]) -> str:
    return "; ".join(rules) or "no schedule"
