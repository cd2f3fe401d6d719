"""Letting a restore go on although its approvals are not sealed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.frame import render
from backups.admin.restore import blocks
from backups.admin.restore.request import get_request, sentence_of
from backups.domain.actions import Action
from backups.domain.people import Actor, Capability
from backups.models import RestoreRequest
from backups.selectors.restore_page import request_page
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.unsealed import go_on_unsealed


@for_people_who_may(Capability.VOTE_ON_RESTORE, "GET", "POST")
def unsealed(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Asks why it can't wait."""
    found = get_request(pk)
    if request.method != "POST":
        refusal = request_page(found, actor).actions[Action.GO_ON_UNSEALED].refusal
        if refusal:
            messages.error(request, refusal)
            return redirect("ops:request", pk=pk)
        return _sheet(request, actor, found, {})
    try:
        go_on_unsealed(actor=actor, request_id=pk, reason=request.POST.get("reason", ""))
    except InvalidInput as invalid:
        return _sheet(request, actor, found, invalid.errors)
    except Refused as refused:
        messages.error(request, sentence_of(refused))
    else:
        messages.success(request, "It goes on without the seal. Your decision is recorded.")
    return redirect("ops:request", pk=pk)


def _sheet(request: HttpRequest, actor: Actor, found: RestoreRequest, errors: dict[str, str]) -> HttpResponse:
    context = {
        "page": request_page(found, actor),
        "r": found,
        "band": blocks.band_of(found.branch),
        "reason": request.POST.get("reason", ""),
        "errors": errors,
    }
    return render(request, "restore/unsealed.html", context, status=422 if errors else 200)
