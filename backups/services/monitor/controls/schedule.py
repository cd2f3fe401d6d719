"""Is the backup schedule the declared one, and does Neon keep to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from backups.domain.backup_plan import drift, is_overdue
from backups.domain.monitor import FindingCode, Observation
from backups.models import ProtectedBranch
from backups.neon.snapshots import Snapshot
from backups.services.monitor.controls.about import about_branch
from backups.services.monitor.scene import Scene, rule_of


def as_declared(scene: Scene, branch: ProtectedBranch) -> Sequence[Observation]:
    """Neon's schedule against the declared one."""
    if not branch.is_root or _is_gone(scene, branch):
        return []
    wanted = scene.wanted_of(branch)
    found = [rule_of(item) for item in scene.facts.schedule_of(branch.neon_branch_id)]
    differs = drift(wanted=wanted.schedule, found=found)
    if differs.is_none or (not wanted.schedule and not wanted.is_declared):
        return []
    evidence: dict[str, Any] = {
        "wanted": [rule.words for rule in wanted.schedule],
        "found": [rule.words for rule in found],
        "declared": wanted.is_declared,
    }
    if not found:
        sentence = f"{branch.name} has no backup schedule at Neon; wanted: {wanted.schedule[0].words}."
        return [about_branch(branch, FindingCode.SCHEDULE_MISSING, sentence, **evidence)]
    sentence = f"The schedule of {branch.name} is not as declared. {differs.words}."
    return [about_branch(branch, FindingCode.SCHEDULE_DRIFT, sentence, **evidence)]


def newest_scheduled(scene: Scene, branch: ProtectedBranch) -> Sequence[Observation]:
    """The newest scheduled snapshot is younger than its interval and a grace. Those taken by hand don't count."""
    interval = scene.wanted_of(branch).shortest_interval_seconds
    if interval is None or not branch.is_root or _is_gone(scene, branch):
        return []
    newest = _newest(scene.snapshots_of(branch), scene.now)
    grace = settings.MONITOR_SNAPSHOT_GRACE_SECONDS
    if newest is None:
        return [_none_yet(scene, branch, interval + grace)]
    if not is_overdue(newest_at=newest, now=scene.now, interval_seconds=interval, grace_seconds=grace):
        return []
    age_hours = (scene.now - newest).total_seconds() / 3600
    due = f"one is due every {interval // 3600} hours"
    sentence = f"The newest scheduled snapshot of {branch.name} is {age_hours:.0f} hours old; {due}."
    return [
        about_branch(branch, FindingCode.SNAPSHOT_OVERDUE, sentence, newest_at=newest.isoformat(timespec="seconds"))
    ]


def _none_yet(scene: Scene, branch: ProtectedBranch, patience_seconds: float) -> Observation:
    """A schedule that was just set has had no chance yet; that is said, and is no all-clear."""
    since = _scheduled_since(scene, branch)
    if since is not None and scene.now - since <= dt.timedelta(seconds=patience_seconds):
        seen = f"its schedule was first seen {since:%Y-%m-%d %H:%M} UTC"
        sentence = f"No scheduled snapshot of {branch.name} exists yet; {seen}."
        return about_branch(branch, FindingCode.SNAPSHOT_AWAITED, sentence, schedule_seen_at=since.isoformat())
    sentence = f"Neon shows no scheduled snapshot of {branch.name}."
    return about_branch(branch, FindingCode.SNAPSHOT_OVERDUE, sentence)


def _scheduled_since(scene: Scene, branch: ProtectedBranch) -> dt.datetime | None:
    """Since when the monitor has seen a schedule; from now on, when this look is the first to see one."""
    if not scene.facts.schedule_of(branch.neon_branch_id):
        return None
    known = scene.before.schedules.get(branch.neon_branch_id)
    return known.since if known is not None and known.items else scene.now


def _newest(snapshots: Sequence[Snapshot], now: dt.datetime) -> dt.datetime | None:
    """When the state of the newest usable one was taken; one without a word on who took it counts as by hand."""
    usable = [each for each in snapshots if each.manual is False and (each.expires_at is None or each.expires_at > now)]
    times = [each.timestamp or each.created_at for each in usable]
    return max((at for at in times if at is not None), default=None)


def _is_gone(scene: Scene, branch: ProtectedBranch) -> bool:
    return scene.facts.branch(branch.neon_branch_id) is None
