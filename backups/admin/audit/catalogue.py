"""What each type of event means."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from backups.admin.access import for_people_who_may
from backups.admin.audit.tabs import audit_tabs
from backups.admin.frame import render
from backups.domain.people import Actor, Capability
from backups.selectors.retention import retention_rule
from backups.services.event_catalogue import catalogue_entries, families


@for_people_who_may(Capability.READ_LEDGER)
def catalogue(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The catalogue, which holds nothing of what happened; one family at a time says what its fields are."""
    known = families()
    family = request.GET.get("family", "")
    family = family if family in known else ""
    context = {
        "tabs": audit_tabs(actor, "catalogue"),
        "families": known,
        "family": family,
        "entries": catalogue_entries(family=family),
        "retention": retention_rule(),
    }
    return render(request, "audit/catalogue.html", context)
