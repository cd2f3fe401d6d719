"""The canary of a branch, turned on and off by people: the one thing that the portal writes into a branch in care."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from backups.admin.access import for_people_who_may
from backups.admin.frame import render
from backups.admin.restore.blocks import band_of
from backups.admin.restore.request import sentence_of
from backups.domain.people import Actor, Capability
from backups.models import Canary, ProtectedBranch
from backups.selectors.drill_actions import allowed_on_branch
from backups.services.canary import WHAT_IT_DOES, set_up_canary, stop_canary
from backups.services.restore.errors import InvalidInput, Refused


@for_people_who_may(Capability.MANAGE_DRILL_PLANS, "GET", "POST")
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """Says what will be written before anything is."""
    branch = ProtectedBranch.objects.select_related("project").filter(pk=pk).first()
    if branch is None:
        raise Http404
    error = _act(request, actor, branch) if request.method == "POST" else ""
    if request.method == "POST" and not error:
        return redirect("ops:canary", pk=pk)
    context = {
        "branch": branch,
        "band": band_of(branch),
        "canary": Canary.objects.filter(branch=branch).first(),
        "what_it_does": WHAT_IT_DOES,
        "can": {action.value for action in allowed_on_branch(actor, branch)},
        "every_seconds": request.POST.get("every_seconds", "60"),
        "error": error,
    }
    return render(request, "drill/canary.html", context, status=422 if error else 200)


def _act(request: HttpRequest, actor: Actor, branch: ProtectedBranch) -> str:
    """What was wrong; empty when it was done."""
    typed = request.POST.get("every_seconds", "")
    try:
        if request.POST.get("act") == "stop":
            stop_canary(actor=actor, branch_id=branch.pk)
            messages.success(request, "The canary is off. Its table stays.")
            return ""
        if not (typed.isascii() and typed.isdigit() and len(typed) < 6):
            return "Say in whole seconds how often a row is written."
        set_up_canary(actor=actor, branch_id=branch.pk, every_seconds=int(typed))
    except (Refused, InvalidInput) as refused:
        return sentence_of(refused)
    messages.success(request, "The canary is on. The worker writes the first row in a moment.")
    return ""
