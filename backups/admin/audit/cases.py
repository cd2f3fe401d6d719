"""The list of case files, and the case files of changes of access."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

from backups.admin.access import for_people_who_may
from backups.admin.audit.case_parts import made_for, shown_events
from backups.admin.audit.event_words import list_url, meaning_of
from backups.admin.audit.links import address
from backups.admin.audit.period_form import Chosen, chosen_period
from backups.admin.audit.tabs import audit_tabs
from backups.admin.frame import render
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.selectors.audit.populations import POPULATIONS
from backups.selectors.case_file.access import access_case
from backups.selectors.case_file.found import MOST_SHOWN, Cases, cases_named, cases_of
from backups.selectors.clock import database_now
from backups.services.reading import record_reading

_MOST_TYPED = 150
# Which populations hold all cases of a kind, and by which event each case of a person begins.
_POPULATIONS = {
    "restores": ("production-restores", "other-restores", "not-carried-out"),
    "drills": ("drills",),
    "access": ("access-changes",),
}
_FIRST_EVENT = {"restores": "request.drafted", "drills": "drill."}


@for_people_who_may(Capability.READ_LEDGER)
def listed(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Of the period, or with `q` those that it names."""
    word = request.GET.get("q", "").strip()[:_MOST_TYPED].replace("\x00", "")
    chosen = chosen_period(request, database_now())
    record_reading(actor=actor, page="case_files", narrowed_by={"q": word})
    found = cases_named(word) if word else cases_of(chosen.period)
    context = {
        "tabs": audit_tabs(actor, "cases"),
        "chosen": chosen,
        "q": word,
        "found": found,
        "most": MOST_SHOWN,
        "access": [(each, meaning_of(each.type)) for each in found.access],
        "whole": {kind: _whole_lists(kind, found, chosen) for kind in found.is_cut},
    }
    return render(request, "audit/cases.html", context)


def _whole_lists(kind: str, found: Cases, chosen: Chosen) -> list[tuple[str, str]]:
    """Where all cases of a kind are that was cut: of a period as populations, of a person as events."""
    if found.person_ids:
        return [("all of them as events", _events_of(kind, pk)) for pk in found.person_ids]
    days = {"first": chosen.period.first, "last": chosen.period.last}
    return [(POPULATIONS[slug].title, address("ops:audit-population", slug, **days)) for slug in _POPULATIONS[kind]]


def _events_of(kind: str, pk: int) -> str:
    narrowed = (
        {"target_id": f"user:{pk}", "type": "access."}
        if kind == "access"
        else {"actor_ref": f"user:{pk}", "type": _FIRST_EVENT[kind]}
    )
    return f"{list_url()}?{urlencode(narrowed)}"


@for_people_who_may(Capability.READ_LEDGER)
def access(request: HttpRequest, actor: Actor, event_id: UUID) -> HttpResponse:
    """Who got or lost what, by whom, and what was decided with it."""
    case = access_case(event_id)
    if case is None:
        raise Http404("There is no such change of access.")
    target = Target(kind=case.event.target_kind, id=case.event.target_id)
    record_reading(actor=actor, page="case_file", target=target)
    context = {
        "tabs": audit_tabs(actor, "cases"),
        "case": case,
        "made": made_for(actor),
        "meaning": meaning_of(case.event.type),
        "events": shown_events(case.events),
    }
    return render(request, "audit/case_access.html", context)
