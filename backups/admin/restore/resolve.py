"""Closing a restore that needs a person: one proposes, another confirms."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.frame import render
from backups.admin.restore import blocks, details
from backups.admin.restore.request import get_request, sentence_of
from backups.domain.actions import Action
from backups.domain.people import Actor, Capability
from backups.models import Resolution, RestoreRequest
from backups.selectors.restore_page import request_page
from backups.services.restore.attention import confirm_resolution, propose_resolution
from backups.services.restore.errors import InvalidInput, Refused


@for_people_who_may(Capability.RESOLVE_RESTORE, "GET", "POST")
def propose(request: HttpRequest, actor: Actor, pk: int, kind: str) -> HttpResponse:
    """The first person says how it ended, and why."""
    if kind not in Resolution.Kind.values:
        raise Http404
    found = get_request(pk)
    if request.method != "POST":
        return _sheet(request, actor, found, kind, {})
    try:
        propose_resolution(
            actor=actor, request_id=pk, kind=Resolution.Kind(kind), reason=request.POST.get("reason", "")
        )
    except InvalidInput as invalid:
        return _sheet(request, actor, found, kind, invalid.errors)
    except Refused as refused:
        messages.error(request, sentence_of(refused))
        return redirect("ops:request", pk=pk)
    messages.success(request, "Your proposal waits for a second person.")
    return redirect("ops:request", pk=pk)


@for_people_who_may(Capability.RESOLVE_RESTORE, "GET", "POST")
def confirm(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The second person confirms, which closes the request."""
    found = get_request(pk)
    if request.method != "POST":
        return _sheet(request, actor, found, "", {})
    try:
        confirm_resolution(actor=actor, request_id=pk, reason=request.POST.get("reason", ""))
    except (InvalidInput, Refused) as refused:
        messages.error(request, sentence_of(refused))
    else:
        messages.success(request, "Confirmed. The request is closed.")
    return redirect("ops:request", pk=pk)


_ACTION = {"accept": Action.ACCEPT, "disprove": Action.DISPROVE, "": Action.CONFIRM}


def _sheet(
    request: HttpRequest, actor: Actor, found: RestoreRequest, kind: str, errors: dict[str, str]
) -> HttpResponse:
    page = request_page(found, actor)
    refusal = page.actions[_ACTION[kind]].refusal
    if refusal:
        messages.error(request, refusal)
        return redirect("ops:request", pk=found.pk)
    checks = details.latest_checks(page)
    context = {
        "page": page,
        "r": found,
        "band": blocks.band_of(found.branch),
        "kind": kind,
        "checks": [check for check in checks if check.tone != "good"],
        "checks_words": details.checks_words(checks),
        "effect_is_known": details.effect_is_known(page),
        "reason": request.POST.get("reason", ""),
        "errors": errors,
    }
    template = "restore/resolve.html" if kind else "restore/confirm.html"
    return render(request, template, context, status=422 if errors else 200)
