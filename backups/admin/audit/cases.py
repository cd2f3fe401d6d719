"""The list of case files, and the case files of drills and of changes of access."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

from backups.admin.access import for_people_who_may
from backups.admin.audit.case_parts import shown_events, shown_words
from backups.admin.audit.event_words import meaning_of
from backups.admin.audit.period_form import chosen_period
from backups.admin.audit.tabs import audit_tabs
from backups.admin.frame import render
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.selectors.case_file.access import access_case
from backups.selectors.case_file.drill import DrillCase, drill_case
from backups.selectors.case_file.found import MOST_SHOWN, cases_named, cases_of
from backups.selectors.clock import database_now
from backups.services.reading import record_reading

_MOST_TYPED = 150


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
    }
    return render(request, "audit/cases.html", context)


@for_people_who_may(Capability.READ_LEDGER)
def drill(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Plan, measurements, what came of it, and who signed."""
    case = drill_case(pk)
    if case is None:
        raise Http404("There is no such drill.")
    target = Target(kind="drill", id=case.drill.reference, project=case.drill.project.neon_project_id)
    record_reading(actor=actor, page="case_file", target=target)
    return render(request, "audit/case_drill.html", _of_drill(actor, case))


def _of_drill(actor: Actor, case: DrillCase) -> dict[str, object]:
    drill = case.drill
    return {
        "tabs": audit_tabs(actor, "cases"),
        "case": case,
        "drill": drill,
        "story": shown_words(drill.story),
        "conclusion": shown_words(drill.conclusion),
        "rto": _seconds(drill.rto_milliseconds),
        "rpo": _seconds(drill.rpo_milliseconds),
        "findings": [(each, shown_words(each.text)) for each in case.findings],
        "actions": [(each, shown_words(each.proof)) for each in case.actions],
        "sign_words": shown_words(case.sign_off.text) if case.sign_off else None,
        "events": shown_events(case.events),
    }


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


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
        "meaning": meaning_of(case.event.type),
        "events": shown_events(case.events),
    }
    return render(request, "audit/case_access.html", context)
