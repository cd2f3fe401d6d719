"""A whole population as a file: an auditor draws a sample from it without the portal."""

from __future__ import annotations

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from backups.admin.access import for_people_who_may
from backups.admin.audit.period_form import chosen_period
from backups.domain.people import Actor, Capability
from backups.selectors.audit.populations import POPULATIONS
from backups.selectors.clock import database_now
from backups.services.population_file import take_population


@for_people_who_may(Capability.EXPORT_LEDGER)
def download(request: HttpRequest, actor: Actor, slug: str) -> HttpResponseBase:
    """CSV of the period, line by line."""
    found = POPULATIONS.get(slug)
    if found is None:
        raise Http404("There is no such population.")
    period, with_sandbox = chosen_period(request, database_now()).period, request.GET.get("sandbox") == "1"
    lines = take_population(actor=actor, population=found, period=period, with_sandbox=with_sandbox)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"{slug}-{period.first}-to-{period.last}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
