"""What the monitor knows, for pages, commands and machines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Case, Exists, IntegerField, Min, OuterRef, Q, QuerySet, Value, When

from backups.domain.monitor import KINDS, Health, Severity, overall
from backups.domain.people import Capability, roles_with
from backups.domain.policy import Environment
from backups.models import (
    ControlState,
    Finding,
    FreeText,
    MonitorRun,
    Project,
    ProjectWatch,
    ProtectedBranch,
    RoleMembership,
)

_RANK = Case(
    *[When(severity=severity.value, then=Value(severity.rank)) for severity in Severity],
    default=Value(len(Severity)),
    output_field=IntegerField(),
)


def open_findings() -> QuerySet[Finding]:
    """Worst first, then oldest first."""
    found = Finding.objects.filter(closed_at__isnull=True).select_related("project", "branch__project", "owner")
    return found.annotate(rank=_RANK).order_by("rank", "since", "pk")


def closed_findings(*, most: int = 50) -> QuerySet[Finding]:
    """The latest ones that were closed."""
    found = Finding.objects.filter(closed_at__isnull=False).select_related("project", "branch__project", "owner")
    return found.order_by("-closed_at", "-pk")[:most]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A control without an answer."""

    control: str
    branch_id: int | None
    since: dt.datetime
    reason: str
    is_postponed: bool


@dataclass(frozen=True, slots=True)
class BranchHealth:
    """Can we recover this branch? `asked_at`: when Neon last answered about it; None: never."""

    branch: ProtectedBranch
    environment: Environment
    health: Health
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]
    answered: int
    asked_at: dt.datetime | None

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding."""
        return min((Severity(each.severity) for each in self.findings), key=lambda each: each.rank, default=None)

    @property
    def unknown_since(self) -> dt.datetime | None:
        return min((each.since for each in self.unknown), default=None)


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything at once, for the pages and for machines. `cycle_at`: when the last cycle ended."""

    now: dt.datetime
    cycle_at: dt.datetime | None
    is_late: bool
    branches: tuple[BranchHealth, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]
    by_severity: dict[Severity, int] = field(default_factory=dict)

    @property
    def health(self) -> Health:
        """In one word. A monitor that does not run knows nothing; notices alone ask for nothing."""
        graver = sum(count for severity, count in self.by_severity.items() if severity is not Severity.NOTICE)
        if graver:
            return Health.FINDINGS
        missing = len(self.unknown) + self.is_late + any(b.health is Health.UNKNOWN for b in self.branches)
        return overall(findings=0, unknown=missing, controls=1 if self.cycle_at else 0)


def situation(now: dt.datetime, *, project_id: int | None = None) -> Situation:
    """Everything, or what concerns one project. Five queries, however many projects and branches."""
    one = {} if project_id is None else {"project": project_id}
    findings = tuple(open_findings().filter(**one))
    states = list(ControlState.objects.filter(**one))
    cycle_at = last_cycle_at()
    branches = ProtectedBranch.objects.select_related("project").filter(missing_since__isnull=True, **one)
    listed = sorted(branches, key=_place)
    asked = dict(ProjectWatch.objects.values_list("project_id", "known_at"))
    return Situation(
        now=now,
        cycle_at=cycle_at,
        is_late=_is_late(cycle_at, now),
        branches=tuple(_health_of(branch, findings, states, asked.get(branch.project_id), now) for branch in listed),
        findings=findings,
        unknown=_unknown_of(states, now),
        by_severity={each: sum(found.severity == each for found in findings) for each in Severity},
    )


def last_cycle_at() -> dt.datetime | None:
    """When the newest cycle ended; None when none is known."""
    return MonitorRun.objects.order_by("-started_at").values_list("ended_at", flat=True).first()


def late_after_seconds() -> float:
    """A monitor that was silent for longer than this knows nothing any more."""
    return float(3 * settings.MONITOR_EVERY_SECONDS + settings.MONITOR_PROJECT_SECONDS)


def _is_late(cycle_at: dt.datetime | None, now: dt.datetime) -> bool:
    return cycle_at is None or (now - cycle_at).total_seconds() > late_after_seconds()


def _place(branch: ProtectedBranch) -> tuple[int, str, bool, str]:
    order = list(Environment).index(branch.environment)
    return order, branch.project.name, not branch.is_default, branch.name


def _health_of(
    branch: ProtectedBranch,
    findings: Iterable[Finding],
    states: Iterable[ControlState],
    asked_at: dt.datetime | None,
    now: dt.datetime,
) -> BranchHealth:
    here = tuple(each for each in findings if _concerns(each.project_id, each.branch_id, branch))
    about = [each for each in states if _concerns(each.project_id, each.branch_id, branch)]
    unknown = _unknown_of(about, now)
    answered = sum(not _is_unknown(each, now) for each in about if each.branch_id == branch.pk)
    grave = sum(each.severity != Severity.NOTICE for each in here)
    return BranchHealth(
        branch=branch,
        environment=branch.environment,
        health=overall(findings=grave, unknown=len(unknown), controls=answered),
        findings=here,
        unknown=unknown,
        answered=answered,
        asked_at=asked_at,
    )


def _concerns(project_id: int | None, branch_id: int | None, branch: ProtectedBranch) -> bool:
    """What is said of a whole project holds for each of its branches."""
    return branch_id == branch.pk or (branch_id is None and project_id == branch.project_id)


def _unknown_of(states: Iterable[ControlState], now: dt.datetime) -> tuple[Unknown, ...]:
    """Controls without an answer, and those whose answer is old: what was seen then may not be so any more."""
    return tuple(
        Unknown(
            control=state.control,
            branch_id=state.branch_id,
            since=state.unknown_since or state.last_tried_at,
            reason=state.unknown_reason or "The monitor has not asked this lately.",
            is_postponed=state.is_postponed,
        )
        for state in states
        if _is_unknown(state, now)
    )


def _is_unknown(state: ControlState, now: dt.datetime) -> bool:
    age_seconds = (now - state.last_tried_at).total_seconds()
    return state.unknown_since is not None or age_seconds > late_after_seconds()


def findings_of(project: Project) -> QuerySet[Finding]:
    """The open ones of one project, worst first."""
    return open_findings().filter(project=project)


def branch_health(branch: ProtectedBranch, *, now: dt.datetime) -> BranchHealth:
    """Can we recover this branch? Three queries."""
    about = Q(branch=branch) | Q(project=branch.project_id, branch__isnull=True)
    asked = ProjectWatch.objects.filter(project=branch.project_id).values_list("known_at", flat=True).first()
    states = list(ControlState.objects.filter(about))
    return _health_of(branch, tuple(open_findings().filter(about)), states, asked, now)


def control_states(branch: ProtectedBranch, *, order: list[str]) -> list[ControlState]:
    """Every control of the branch and of its project, in the given order of names."""
    about = Q(branch=branch) | Q(project=branch.project_id, branch__isnull=True)
    places = {name: place for place, name in enumerate(order)}
    return sorted(ControlState.objects.filter(about), key=lambda each: places.get(each.control, len(places)))


@dataclass(frozen=True, slots=True)
class OutsideChanges:
    """Changes at Neon that no request explains, seen in the last days. `watched_since`: None when never watched."""

    open: int
    explained: int
    days: int
    watched_since: dt.datetime | None


def outside_changes(now: dt.datetime, *, days: int = 30) -> OutsideChanges:
    """Counts of the last days. Two queries."""
    codes = [code.value for code, kind in KINDS.items() if not kind.closes_by_itself]
    found = Finding.objects.filter(code__in=codes, since__gte=now - dt.timedelta(days=days))
    closed = list(found.values_list("closed_at", flat=True))
    since = MonitorRun.objects.filter(ended_at__isnull=False).aggregate(first=Min("started_at"))["first"]
    return OutsideChanges(
        open=sum(at is None for at in closed),
        explained=sum(at is not None for at in closed),
        days=days,
        watched_since=since,
    )


def handlers() -> list[User]:
    """People whose role can look after a finding, by name."""
    roles = [role.value for role in roles_with(Capability.HANDLE_FINDING)]
    held = RoleMembership.objects.filter(user=OuterRef("pk"), role__in=roles, until__isnull=True)
    found = User.objects.filter(Exists(held), is_active=True).exclude(profile__is_service_account=True)
    return list(found.order_by("username"))


def words_of_finding(finding: Finding) -> dict[str, str]:
    """What people wrote about it, by the act: `acknowledged`, `explained`. Erased words are said to be erased."""
    events = {"acknowledged": finding.acknowledgement_event_id, "explained": finding.explanation_event_id}
    wanted = [event_id for event_id in events.values() if event_id is not None]
    texts = {text.event_id: str(text) for text in FreeText.objects.filter(event__in=wanted)} if wanted else {}
    return {act: texts[event_id] for act, event_id in events.items() if event_id in texts}
