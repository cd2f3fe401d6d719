"""All drills: how well each branch is proven, the calendar, what is open, and the list of what was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.drill import calendar, words
from backups.admin.drill.figures import Figure, figures_of
from backups.admin.drill.words import ShownProof, ShownState
from backups.admin.frame import render
from backups.domain.drill import DrillType, Standing
from backups.domain.people import Actor, Capability
from backups.domain.policy import Environment
from backups.models import Drill, DrillPlan, ProtectedBranch
from backups.selectors.clock import database_now
from backups.selectors.drill import standings
from backups.selectors.drill_list import (
    DrillFilter,
    active_plans,
    drill_page,
    drills_between,
    missed_between,
    open_drills,
)
from backups.selectors.project import governed_branches
from backups.services.drill.schedule import times_after


@dataclass(frozen=True, slots=True)
class BranchRow:
    """One branch: what its drills say, and its plans."""

    branch: ProtectedBranch
    environment: Environment
    standing: Standing
    proof: ShownProof
    plans: list[DrillPlan]


@dataclass(frozen=True, slots=True)
class DrillRow:
    """One drill in a list."""

    drill: Drill
    state: ShownState
    type_words: str
    figures: list[Figure]
    is_signed: bool


@for_people_who_may(Capability.READ_DRILLS)
def drills(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The page of all drills."""
    now = database_now()
    plans = list(active_plans())
    branches = branch_rows(now, plans)
    month = calendar.month_of(request.GET.get("month", ""), now)
    calendar.fill(month, _entries(month, plans, branches, now))
    context = {
        "branches": branches,
        "month": month,
        "open": [drill_row(drill) for drill in open_drills()],
        "plans": plans,
        "can_log": actor.may(Capability.LOG_DRILL),
        "can_plan": actor.may(Capability.MANAGE_DRILL_PLANS),
    }
    return render(request, "drill/overview.html", context | _list(request))


def branch_rows(now: dt.datetime, plans: list[DrillPlan]) -> list[BranchRow]:
    """Every branch that can be restored, production first."""
    branches = [branch for branch in governed_branches() if branch.is_root is not False]
    known = standings(branches, now=now)
    rows = [
        BranchRow(
            branch=branch,
            environment=branch.environment,
            standing=known[branch.pk],
            proof=words.proof_words(known[branch.pk], now),
            plans=[plan for plan in plans if plan.branch_id == branch.pk],
        )
        for branch in branches
    ]
    return sorted(rows, key=lambda row: list(Environment).index(row.environment))


def drill_row(drill: Drill) -> DrillRow:
    """What a list shows of a drill."""
    return DrillRow(
        drill=drill,
        state=words.state_of(drill),
        type_words=words.TYPE_SHORT[DrillType(drill.type)],
        figures=figures_of(drill),
        is_signed=hasattr(drill, "sign_off"),
    )


def shown_drill(drill: Drill | None) -> DrillRow | None:
    """The same for the newest drill of a branch, if there is one."""
    return None if drill is None else drill_row(drill)


def _entries(
    month: calendar.Month, plans: list[DrillPlan], branches: list[BranchRow], now: dt.datetime
) -> Iterator[calendar.Entry]:
    yield from calendar.entries_of_drills(drills_between(month.begins, month.ends))
    yield from calendar.entries_of_missed(missed_between(month.begins, month.ends))
    for plan in plans:
        yield from calendar.entries_to_come(
            plan.name, _days_ahead(plan, month, now), reverse("ops:plan", args=[plan.pk])
        )
    yield from calendar.entries_of_fading((row.branch, row.standing) for row in branches)


def _days_ahead(plan: DrillPlan, month: calendar.Month, now: dt.datetime) -> Iterator[list[dt.datetime]]:
    """The plan's times on each day of the month that is not over: a few, and one more where there are more."""
    most = calendar.MOST_TIMES_A_DAY + 1
    for day in month.days:
        begins = dt.datetime.combine(day.date, dt.time(), dt.UTC)
        ends = begins + dt.timedelta(days=1)
        if ends > now:
            # The first second of the day counts too.
            after = max(now, begins - dt.timedelta(microseconds=1))
            yield list(takewhile(lambda at, ends=ends: at < ends, islice(times_after(plan, after), most)))  # type: ignore[misc]


def _list(request: HttpRequest) -> dict[str, Any]:
    wanted = _filter(request)
    older_than = _number(request.GET.get("older_than", ""))
    page = drill_page(wanted, older_than=older_than)
    kept = {name: value for name, value in request.GET.items() if name in _FILTERS and value}
    return {
        "drills": [drill_row(drill) for drill in page.drills],
        "older": urlencode(kept | {"older_than": page.older_than}) if page.older_than else "",
        "is_first_page": older_than is None,
        "wanted": wanted,
        "outcomes": [*words.OUTCOME.items(), ("cancelled", "Cancelled")],
        "types": words.TYPE_SHORT.items(),
        "is_narrowed": bool(kept),
    }


_FILTERS = ("outcome", "type", "kind", "branch", "signed")


def _filter(request: HttpRequest) -> DrillFilter:
    def chosen(name: str, *allowed: str) -> str:
        value = request.GET.get(name, "")
        return value if value in allowed else ""

    return DrillFilter(
        outcome=chosen("outcome", "passed", "failed", "inconclusive", "cancelled"),
        type=chosen("type", *(kind.value for kind in words.TYPE)),
        kind=chosen("kind", "automatic", "by_hand"),
        branch_id=_number(request.GET.get("branch", "")),
        signed=chosen("signed", "yes", "no"),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
