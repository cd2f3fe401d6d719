"""The governance register as pages and the monitor read it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from django.db.models import QuerySet

from backups.domain.drill import DrillOutcome, DrillState
from backups.domain.governance import gaps
from backups.models import Drill, GovernanceVersion, Project


@dataclass(frozen=True, slots=True)
class Entry:
    """One project in the register. `drill` is the newest good one with a measured time; `gaps` are sentences."""

    project: Project
    present: GovernanceVersion | None
    proposal: GovernanceVersion | None
    drill: Drill | None
    gaps: list[str] = field(default_factory=list)

    @property
    def rto_seconds(self) -> float | None:
        """Measured: how long the last good drill took; None: unknown."""
        return None if self.drill is None else _seconds(self.drill.rto_milliseconds)

    @property
    def rpo_seconds(self) -> float | None:
        """Measured: how old the newest data were that it brought back; None: unknown."""
        return None if self.drill is None else _seconds(self.drill.rpo_milliseconds)

    @property
    def misses_rto(self) -> bool | None:
        """Whether the last measured recovery took longer than is aimed at; None: nothing to compare."""
        return None if self.present is None else _exceeds(self.rto_seconds, self.present.rto_seconds)

    @property
    def misses_rpo(self) -> bool | None:
        """The same for the age of the newest data."""
        return None if self.present is None else _exceeds(self.rpo_seconds, self.present.rpo_seconds)


def register(now: dt.datetime, project: Project | None = None) -> list[Entry]:
    """Every project, or one. Four queries, however many projects."""
    projects = list(Project.objects.order_by("name") if project is None else [project])
    versions = GovernanceVersion.objects.filter(project__in=projects)
    agreed = versions.filter(agreed_at__isnull=False).order_by("project_id", "-number").distinct("project_id")
    present = {version.project_id: version for version in agreed}
    waiting = {version.project_id: version for version in open_proposals() if version.project in projects}
    drills = {drill.project_id: drill for drill in _measured(projects)}
    today = now.astimezone(dt.UTC).date()
    return [
        Entry(each, present.get(each.pk), waiting.get(each.pk), drills.get(each.pk), _gaps(present.get(each.pk), today))
        for each in projects
    ]


def open_proposals() -> QuerySet[GovernanceVersion]:
    """Versions that wait for a second person, oldest first."""
    waiting = GovernanceVersion.objects.filter(agreed_at__isnull=True, dropped_at__isnull=True)
    return waiting.select_related("project").order_by("proposed_at")


def versions_of(project: Project) -> list[GovernanceVersion]:
    """All, the newest first; the words with them."""
    return list(GovernanceVersion.objects.filter(project=project).select_related("note").order_by("-number"))


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _exceeds(measured: float | None, aim: float) -> bool | None:
    return None if measured is None else measured > aim


def _gaps(version: GovernanceVersion | None, today: dt.date) -> list[str]:
    return list(gaps(version.says if version else None, today))


def _measured(projects: list[Project]) -> QuerySet[Drill]:
    passed = Drill.objects.filter(
        project__in=projects, state=DrillState.ENDED, outcome=DrillOutcome.PASSED, rto_milliseconds__isnull=False
    )
    return passed.order_by("project_id", "-ended_at").distinct("project_id")
