"""Where an auditor begins: is the record intact, what happened in the period, and what is out of order."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from backups.admin.access import for_people_who_may
from backups.admin.audit.links import address, page_of
from backups.admin.audit.period_form import chosen_period, shortcuts
from backups.admin.audit.tabs import audit_tabs
from backups.admin.charts import week_bars
from backups.admin.frame import render
from backups.domain.people import Actor, Capability
from backups.domain.period import Period, week_of
from backups.selectors.audit.exceptions import Exceptions, exceptions
from backups.selectors.audit.gaps import observation
from backups.selectors.audit.intact import intact
from backups.selectors.audit.populations import POPULATIONS, Counted, counted, failed_drills
from backups.selectors.clock import database_now
from backups.selectors.ledger_verification import verifications
from backups.selectors.retention import retention_rule
from backups.services.reading import record_reading
from backups.services.sealing.configured import configured_anchors


@dataclass(frozen=True, slots=True)
class ShownPopulation:
    """One row: the number, its weeks drawn, and where the list and the sample are."""

    counted: Counted
    note: str
    bars: SafeString
    list_url: str


@dataclass(frozen=True, slots=True)
class ShownExceptions:
    """One rule with links to what breaks it."""

    found: Exceptions
    links: list[tuple[str, str]]
    more: int


@for_people_who_may(Capability.READ_LEDGER)
def start(request: HttpRequest, actor: Actor) -> HttpResponse:
    """One period, as the address says."""
    record_reading(actor=actor, page="audit")
    now = database_now()
    chosen = chosen_period(request, now)
    period = chosen.period
    context = {
        "tabs": audit_tabs(actor, "overview"),
        "chosen": chosen,
        "shortcuts": shortcuts(now),
        "newest_asked": verifications().first(),
        "intact": intact(period, {anchor.name: anchor.rhythm for anchor in configured_anchors()}, now),
        "observed": observation(period, now),
        "retention": retention_rule(),
        "populations": [_population(counted(each, period), period) for each in POPULATIONS.values()],
        "exceptions": [_exceptions(each) for each in exceptions(period, now)],
        "approvers_url": reverse("ops:audit-approvers"),
        "today": now.astimezone(dt.UTC).date(),
        "can_export": actor.may(Capability.EXPORT_LEDGER),
    }
    return render(request, "audit/start.html", context)


def _population(found: Counted, period: Period) -> ShownPopulation:
    note = ""
    if found.population.slug == "drills" and found.total:
        note = f"{failed_drills(period)} did not pass"
    return ShownPopulation(
        counted=found,
        note=note,
        bars=week_bars([found.weeks.get(monday, 0) for monday in _mondays(period)]),
        list_url=address("ops:audit-population", found.population.slug, first=period.first, last=period.last),
    )


def _mondays(period: Period) -> list[dt.date]:
    monday = week_of(period.first).first
    return [monday + dt.timedelta(weeks=number) for number in range((period.last - monday).days // 7 + 1)]


def _exceptions(found: Exceptions) -> ShownExceptions:
    links = [(case.words, page_of(case.kind, case.pk)) for case in found.shown]
    return ShownExceptions(found, links, len(found.cases) - len(links))
