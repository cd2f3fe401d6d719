"""One branch as the monitor sees it: every control, the backups as declared, and figures over time."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from backups.admin import words as general
from backups.admin.access import for_people_who_may
from backups.admin.charts import Dot, trend
from backups.admin.frame import render
from backups.admin.monitor import words
from backups.admin.monitor.overview import rows
from backups.admin.restore.blocks import band_of
from backups.domain.backup_plan import WantedBackups, drift
from backups.domain.people import Actor, Capability
from backups.models import BackupPlan, ControlState, ProtectedBranch
from backups.selectors import trend as series
from backups.selectors.backup_plan import open_plan_proposals, wanted_of
from backups.selectors.clock import database_now
from backups.selectors.monitor import branch_health, control_states
from backups.services.backup_plan import seen_at_neon
from backups.services.monitor.controls.registry import TITLES

_MOST_POINTS = 60


@dataclass(frozen=True, slots=True)
class ControlRow:
    """One control and its last answer."""

    title: str
    state: ControlState
    findings: int


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure over time: drawn, in a table, and where a straight line leads."""

    title: str
    drawing: SafeString
    points: list[tuple[dt.datetime, str]]
    ahead: str


_CHARTS = (
    (series.STORAGE, "Stored in the project, history included", False),
    (series.BRANCH_SIZE, "Size of the branch", True),
    (series.HISTORY, "Size of the history, as the invoice counts it", False),
    (series.SNAPSHOTS, "Size of all snapshots", False),
)


@for_people_who_may(Capability.READ_MONITOR)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The page."""
    branch, now = branch_of(pk), database_now()
    state = branch_health(branch, now=now)
    counts = [each.control for each in state.findings]
    seen, wanted = seen_at_neon(branch), wanted_of(branch)
    context: dict[str, Any] = {
        "branch": branch,
        "band": band_of(branch),
        "state": state,
        "shown": words.BRANCH_HEALTH[state.health],
        "findings": rows(state.findings),
        "controls": [
            ControlRow(TITLES.get(each.control, each.control), each, counts.count(each.control))
            for each in control_states(branch, order=list(TITLES))
        ],
        "wanted": wanted,
        "plan": BackupPlan.objects.filter(branch=branch).first(),
        "seen": seen,
        "differs": _differs(wanted, seen),
        "proposal": open_plan_proposals().filter(branch=branch).first(),
        "charts": [_chart(branch, name, title, now, of_branch) for name, title, of_branch in _CHARTS],
        "can_declare": actor.may(Capability.DECLARE_BACKUPS) and branch.is_root,
        "can_propose": actor.may(Capability.PROPOSE_BACKUPS) and branch.is_root,
    }
    return render(request, "monitor/branch.html", context)


def branch_of(pk: int) -> ProtectedBranch:
    """Raises Http404."""
    branch = ProtectedBranch.objects.select_related("project").filter(pk=pk).first()
    if branch is None:
        raise Http404
    return branch


def _differs(wanted: WantedBackups, seen: WantedBackups | None) -> bool | None:
    """None: not known."""
    if seen is None:
        return None
    return not drift(wanted=wanted.schedule, found=seen.schedule).is_none or (
        seen.history_seconds < wanted.history_seconds
    )


def _chart(branch: ProtectedBranch, name: str, title: str, now: dt.datetime, of_branch: bool) -> Chart:
    found = series.trend_of(branch.project, name, now=now, branch=branch if of_branch else None)
    every = max(1, len(found.points) // _MOST_POINTS)
    points = found.points[::-1][::every][::-1]
    dots = [Dot(value, "unknown", f"{general.utc_stamp(at)}: {general.size(int(value))}") for at, value in points]
    return Chart(
        title=title,
        drawing=trend(dots) if len(dots) > 1 else SafeString(""),
        points=[(at, general.size(int(value))) for at, value in points[-12:]],
        ahead=_ahead(found),
    )


def _ahead(found: series.Trend) -> str:
    """A straight line, said to be one; nothing where too few points say nothing."""
    if found.line is None or found.newest is None:
        return ""
    size = general.size(int(found.line.in_days(found.newest, 30)))
    days = found.line.spans_seconds / 86_400
    return f"A straight line through the last {days:.0f} days leads to {size} in 30 days."
