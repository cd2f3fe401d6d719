"""Recovery time and lost data over time, against their objectives, and where the time goes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from backups.admin.access import for_people_who_may
from backups.admin.charts import Dot, Line, durations, stage_bar
from backups.admin.drill.words import milliseconds
from backups.admin.frame import render
from backups.domain.consequence import span
from backups.domain.people import Actor, Capability
from backups.domain.recovery import (
    PROPOSED_LIMIT_SECONDS,
    PROPOSED_LIMIT_WORDS,
    Moment,
    Recovery,
    RecoveryKind,
    Summary,
    summarise,
)
from backups.models import ProtectedBranch
from backups.selectors.clock import database_now
from backups.selectors.project import governed_branches
from backups.selectors.recovery_times import drill_recoveries, restore_recoveries

_PERIODS = {30: "30 days", 90: "90 days", 365: "a year"}
_STAGES = {
    Moment.NOTICED: "noticed",
    Moment.REQUESTED: "asked for",
    Moment.APPROVED: "approved",
    Moment.SUBMITTED: "ordered at Neon",
    Moment.CONNECTABLE: "takes connections",
    Moment.VERIFIED: "verified",
}


@dataclass(frozen=True, slots=True)
class RecoveryRow:
    """One drill or restore in the table beside the chart."""

    at: dt.datetime
    reference: str
    url: str
    place: str
    total: str
    objective: str
    verdict: str
    tone: str
    lost: str


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage over all of them."""

    code: str
    words: str
    median: str
    p95: str
    share_percent: int
    count: int


@for_people_who_may(Capability.READ_DRILLS)
def show(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The page."""
    now = database_now()
    days = _days(request.GET.get("days", ""))
    branches = [branch for branch in governed_branches() if branch.is_root is not False]
    branch = _chosen(branches, request.GET.get("branch", ""))
    since = now - dt.timedelta(days=days)
    drills = drill_recoveries(since=since, until=now, branch=branch)
    restores = restore_recoveries(since=since, until=now, branch=branch)
    context = {
        "branches": branches,
        "branch": branch,
        "days": days,
        "periods": _PERIODS.items(),
        "parts": [
            _part("Drills", "drills", drills),
            _part("Real restores", "restores", restores),
        ],
        "proposed_words": PROPOSED_LIMIT_WORDS,
        "rpo_chart": _rpo_chart(drills),
        "has_rpo": any(each.rpo_milliseconds is not None for each in drills),
    }
    return render(request, "drill/trends.html", context)


def _part(title: str, code: str, recoveries: Sequence[Recovery]) -> dict[str, object]:
    summary = summarise(recoveries)
    stages = _stage_rows(summary)
    return {
        "title": title,
        "code": code,
        "rows": [_row(each) for each in reversed(recoveries)],
        "chart": _rto_chart(recoveries),
        "stages": stages,
        "stage_chart": stage_bar([(each.code, each.share_percent) for each in stages]),
        "median": milliseconds(summary.total.median_milliseconds),
        "p95": milliseconds(summary.total.p95_milliseconds),
        "verified": summary.total.count,
        "unverified": summary.unverified,
    }


def _rto_chart(recoveries: Sequence[Recovery]) -> SafeString:
    """The proposed line is drawn as proposed, and not among the objectives that somebody set."""
    dots = [
        Dot(each.total_milliseconds / 1000, _tone(each), f"{each.reference}: {milliseconds(each.total_milliseconds)}")
        for each in recoveries
        if each.total_milliseconds is not None
    ]
    objectives = [each.objective_seconds for each in recoveries if each.objective_seconds is not None]
    lines = [Line(objectives[-1], "objective", f"objective {span(objectives[-1])}")] if objectives else []
    lines.append(Line(PROPOSED_LIMIT_SECONDS, "proposed", f"{span(PROPOSED_LIMIT_SECONDS)}, proposed and not law"))
    return durations(dots, lines)


def _rpo_chart(recoveries: Sequence[Recovery]) -> SafeString:
    dots = [
        Dot(each.rpo_milliseconds / 1000, "plain", f"{each.reference}: {milliseconds(each.rpo_milliseconds)}")
        for each in recoveries
        if each.rpo_milliseconds is not None
    ]
    return durations(dots)


def _row(each: Recovery) -> RecoveryRow:
    total, met = each.total_milliseconds, each.is_within_objective
    verdict, tone = {True: ("met", "good"), False: ("missed", "bad"), None: ("no objective", "plain")}[met]
    if total is None:
        verdict, tone = "never verified", "unknown"
    name = "ops:drill" if each.kind is RecoveryKind.DRILL else "ops:request"
    return RecoveryRow(
        at=max(each.moments.values(), default=dt.datetime.min.replace(tzinfo=dt.UTC)),
        reference=each.reference,
        url=reverse(name, args=[each.key]),
        place=f"{each.project_name} / {each.branch_name}" if each.branch_name else each.project_name,
        total=milliseconds(total),
        objective=span(each.objective_seconds) if each.objective_seconds is not None else "none",
        verdict=verdict,
        tone=tone,
        lost=milliseconds(each.rpo_milliseconds),
    )


def _stage_rows(summary: Summary) -> list[StageRow]:
    return [
        StageRow(
            code=stage.name.rpartition(" ")[2],
            words=_stage_words(stage.name),
            median=milliseconds(stage.spread.median_milliseconds),
            p95=milliseconds(stage.spread.p95_milliseconds),
            share_percent=round(100 * stage.share),
            count=stage.spread.count,
        )
        for stage in summary.stages
    ]


def _stage_words(name: str) -> str:
    begins, _, ends = name.partition(" to ")
    return f"{_STAGES[Moment(begins)]} to {_STAGES[Moment(ends)]}"


def _tone(each: Recovery) -> str:
    return "bad" if each.is_within_objective is False else "good"


def _days(text: str) -> int:
    return int(text) if text.isdigit() and int(text) in _PERIODS else 90


def _chosen(branches: Sequence[ProtectedBranch], text: str) -> ProtectedBranch | None:
    return next((branch for branch in branches if str(branch.pk) == text), None)
