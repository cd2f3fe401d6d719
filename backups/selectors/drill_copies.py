"""Copies of drills that are still at Neon, or may be, for the monitor and the pages."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backups.domain.execution import BranchFate, BranchPurpose
from backups.models import Canary, OwnedBranch, Project
from backups.selectors.drill_actions import UNDER_WAY


@dataclass(frozen=True, slots=True)
class LeftCopy:
    """A copy whose drill is over. `should_be_gone`: its own date has passed too, so Neon has not removed it either."""

    owned: OwnedBranch
    age_seconds: int
    should_be_gone: bool


def copies_left(project: Project, *, now: dt.datetime) -> list[LeftCopy]:
    """Oldest first; empty when every drill has left nothing. One query."""
    rows = (
        OwnedBranch.objects.filter(project=project, purpose=BranchPurpose.DRILL)
        .filter(fate__in=[BranchFate.INTENDED, BranchFate.PRESENT])
        .exclude(drill__state__in=UNDER_WAY)
        .select_related("drill")
        .order_by("created_at")
    )
    return [
        LeftCopy(row, int((now - row.created_at).total_seconds()), row.expires_at is not None and row.expires_at < now)
        for row in rows
    ]


def silent_canaries(project: Project, *, now: dt.datetime, grace: dt.timedelta) -> list[Canary]:
    """Canaries that are on and were not written for their pace and the grace; with their problem, if one is known."""
    canaries = Canary.objects.filter(branch__project=project, is_on=True).select_related("branch")
    return [each for each in canaries if _last_sign(each) + dt.timedelta(seconds=each.every_seconds) + grace < now]


def _last_sign(canary: Canary) -> dt.datetime:
    return max(at for at in (canary.last_written_at, canary.started_at) if at is not None)
