"""One corrective action: done with its proof, or moved with a reason."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.drill.forms import MoveForm, ProofForm
from backups.admin.frame import reader_zone_name, render
from backups.domain.people import Actor, Capability
from backups.models import CorrectiveAction
from backups.services.corrective_action import finish_action, may_change, move_action, reference_of
from backups.services.restore.errors import InvalidInput, Refused


@for_people_who_may(Capability.READ_DRILLS, "GET", "POST")
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The action, and what its owner can do with it."""
    action = _get(pk)
    if request.method != "POST":
        return _page(request, actor, action)
    is_move = request.POST.get("act") == "move"
    zone = reader_zone_name(request)
    form = MoveForm(request.POST, reader_zone=zone) if is_move else ProofForm(request.POST, reader_zone=zone)
    if not form.is_valid():
        return _page(request, actor, action, form)
    try:
        if isinstance(form, MoveForm):
            typed = form.cleaned_data
            move_action(
                actor=actor,
                action_id=pk,
                owner_id=int(typed["owner"]),
                due_on=typed["due_on"],
                reason=typed["reason"],
            )
        else:
            finish_action(actor=actor, action_id=pk, proof=form.cleaned_data["proof"])
    except InvalidInput as invalid:
        form.take(invalid)
        return _page(request, actor, action, form)
    except Refused as refused:
        messages.error(request, refused.sentence)
        return redirect("ops:action", pk=pk)
    messages.success(request, "It moved; the reason is kept." if is_move else "Done. Thank you.")
    return redirect("ops:action", pk=pk)


def _get(pk: int) -> CorrectiveAction:
    found = CorrectiveAction.objects.select_related(
        "drill__project", "restore_request__branch__project", "record", "log_review_item", "proof"
    )
    action = found.filter(pk=pk).first()
    if action is None:
        raise Http404
    return action


def _page(
    request: HttpRequest, actor: Actor, action: CorrectiveAction, bound: MoveForm | ProofForm | None = None
) -> HttpResponse:
    zone = reader_zone_name(request)
    initial = {"owner": str(action.owner_id), "due_on": action.due_on}
    context = {
        "action": action,
        "reference": reference_of(action),
        "cause": _cause(action),
        "may_change": may_change(action, actor),
        "move": bound if isinstance(bound, MoveForm) else MoveForm(initial=initial, reader_zone=zone),
        "proof": bound if isinstance(bound, ProofForm) else ProofForm(reader_zone=zone),
    }
    return render(request, "drill/action.html", context, status=422 if bound else 200)


def _cause(action: CorrectiveAction) -> tuple[str, str]:
    """The drill, restore or log review that it comes from: its name and its page."""
    if action.drill is not None:
        return action.drill.reference, reverse("ops:drill", args=[action.drill_id])
    if action.restore_request is not None:
        return action.restore_request.reference, reverse("ops:request", args=[action.restore_request_id])
    if action.record is not None:
        return action.record.reference, reverse("ops:retrospective", args=[action.record_id])
    if action.log_review_item is not None:
        review_id = action.log_review_item.review_id
        return f"L-{review_id:04d}", reverse("ops:log-review", args=[review_id])
    raise ValueError("An action belongs to a drill, a restore or a log review.")
