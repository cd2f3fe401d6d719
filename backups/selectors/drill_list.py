"""Drills as lists: narrowed, newest first, paged by key."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from backups.domain.drill import OPEN_DRILL, DrillOutcome, DrillState
from backups.models import Drill, DrillPlan, DrillSlot

PAGE_SIZE = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillFilter:
    """What the list is narrowed to; empty means everything."""

    outcome: str = ""
    type: str = ""
    kind: str = ""  # automatic, by_hand
    branch_id: int | None = None
    project_id: int | None = None
    signed: str = ""  # yes, no


@dataclass(frozen=True, slots=True)
class DrillPage:
    """One page; `older_than` is the key that the next page begins below, None at the end."""

    drills: list[Drill]
    older_than: int | None


def drill_page(wanted: DrillFilter, *, older_than: int | None = None) -> DrillPage:
    """Drills that are over, newest first. One query, whatever the page."""
    found = _shown(Drill.objects.exclude(state__in=OPEN_DRILL)).filter(_condition(wanted))
    if older_than is not None:
        found = found.filter(pk__lt=older_than)
    rows = list(found.order_by("-pk")[: PAGE_SIZE + 1])
    return DrillPage(rows[:PAGE_SIZE], rows[PAGE_SIZE - 1].pk if len(rows) > PAGE_SIZE else None)


def open_drills() -> list[Drill]:
    """What is planned, waits or runs, the soonest first."""
    return list(_shown(Drill.objects.filter(state__in=OPEN_DRILL)).order_by("planned_for", "pk"))


def drills_between(begins: dt.datetime, ends: dt.datetime) -> list[Drill]:
    """Drills that ended, or are planned by hand, between the two."""
    ended = Q(state=DrillState.ENDED, ended_at__gte=begins, ended_at__lt=ends)
    planned = Q(state=DrillState.PLANNED, planned_for__gte=begins, planned_for__lt=ends)
    return list(_shown(Drill.objects.filter(ended | planned)).order_by("pk"))


def missed_between(begins: dt.datetime, ends: dt.datetime) -> list[DrillSlot]:
    """Planned times that passed without a drill."""
    found = DrillSlot.objects.filter(state="missed", due_at__gte=begins, due_at__lt=ends)
    return list(found.select_related("plan__branch__project").order_by("due_at"))


def drills_of_plan(plan: DrillPlan) -> list[Drill]:
    """The newest drills of the plan, open ones too."""
    return list(_shown(Drill.objects.filter(plan=plan)).order_by("-pk")[:12])


def missed_of_plan(plan: DrillPlan) -> QuerySet[DrillSlot]:
    """The newest planned times that passed without a drill."""
    return DrillSlot.objects.filter(plan=plan, state="missed").order_by("-due_at")[:12]


def active_plans() -> QuerySet[DrillPlan]:
    """Plans in use, by branch and name."""
    found = DrillPlan.objects.filter(is_active=True).select_related("branch__project")
    return found.order_by("branch__project__name", "branch__name", "name")


def _shown(drills: QuerySet[Drill]) -> QuerySet[Drill]:
    return drills.select_related("project", "branch__project", "plan", "sign_off")


def _condition(wanted: DrillFilter) -> Q:
    condition = Q()
    if wanted.outcome == DrillState.CANCELLED:
        condition &= Q(state=DrillState.CANCELLED)
    elif wanted.outcome in set(DrillOutcome):
        condition &= Q(outcome=wanted.outcome)
    if wanted.type:
        condition &= Q(type=wanted.type)
    if wanted.kind:
        condition &= Q(is_automatic=wanted.kind == "automatic")
    if wanted.branch_id is not None:
        condition &= Q(branch=wanted.branch_id)
    if wanted.project_id is not None:
        condition &= Q(project=wanted.project_id)
    if wanted.signed:
        condition &= Q(sign_off__isnull=wanted.signed == "no")
    return condition
