"""Deleting what is kept: the wish of one person, the yes or no of another."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.afterwards.checklist import act, get_checklist
from backups.admin.afterwards.forms import RemoveCopyForm, RemoveStateForm
from backups.admin.form_page import FormPage, show_or_do
from backups.admin.frame import reader_zone_name, render
from backups.admin.moments import moment_initial
from backups.admin.restore.blocks import band_of
from backups.domain.afterwards_rules import may_remove, removal_refusal
from backups.domain.people import Actor, Capability
from backups.models import RemovalRequest, SafetyCopy
from backups.selectors.afterwards import kept_state, last_removal_try
from backups.services.afterwards.removal import (
    ask_removal_of_copy,
    ask_removal_of_state,
    confirm_removal,
    drop_removal,
    situation_of,
)


@for_people_who_may(Capability.REMOVE_KEPT, "GET", "POST")
def ask_for_state(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The wish to delete the state before a restore."""
    checklist = get_checklist(pk)
    kept = kept_state(checklist)
    if kept is None:
        raise Http404
    zone = reader_zone_name(request)
    initial = moment_initial("not_before", checklist.kept_until, zone)
    form = RemoveStateForm(request.POST or None, initial=initial, reader_zone=zone)

    def do(typed: RemoveStateForm) -> tuple[str, str]:
        data = typed.cleaned_data
        removal = ask_removal_of_state(
            actor=actor, owned_branch_id=kept.pk, reason=data["reason"], not_before=data["not_before"]
        )
        return reverse("ops:removal", args=[removal.pk]), "A second person has to confirm this."

    page = FormPage(
        title=f"Have {kept.name} deleted?",
        button="Ask for it",
        is_grave=True,
        back=reverse("ops:afterwards", args=[pk]),
        back_words=checklist.reference,
        hint="After that the restore can't be undone. Without a time it goes as soon as a second person agrees.",
        more={"band": band_of(checklist.branch)},
    )
    return show_or_do(request, page, form, do)


@for_people_who_may(Capability.REMOVE_KEPT, "GET", "POST")
def ask_for_copy(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The wish to delete a safety copy before its time."""
    copy = SafetyCopy.objects.select_related("branch__project").filter(pk=pk).first()
    if copy is None:
        raise Http404
    form = RemoveCopyForm(request.POST or None, reader_zone=reader_zone_name(request))

    def do(typed: RemoveCopyForm) -> tuple[str, str]:
        removal = ask_removal_of_copy(actor=actor, safety_copy_id=pk, reason=typed.cleaned_data["reason"])
        return reverse("ops:removal", args=[removal.pk]), "A second person has to confirm this."

    page = FormPage(
        title=f"Have {copy.name} deleted before its time?",
        button="Ask for it",
        is_grave=True,
        back=reverse("ops:safety-copy", args=[pk]),
        back_words=copy.reference,
        hint="When its days are over it goes by itself.",
        more={"band": band_of(copy.branch)},
    )
    return show_or_do(request, page, form, do)


@for_people_who_may(Capability.READ_REQUESTS, "GET", "POST")
def decide(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """A wish that waits for the second person's yes or no."""
    found = RemovalRequest.objects.select_related(
        "owned_branch__project", "owned_branch__request", "safety_copy__branch__project", "reason"
    )
    removal = found.filter(pk=pk).first()
    if removal is None:
        raise Http404
    if request.method != "POST":
        is_open = removal.confirmed_at is None and removal.dropped_at is None
        context = {
            "removal": removal,
            "kept": removal.owned_branch or removal.safety_copy,
            "why_not": removal_refusal(situation_of(removal, actor)),
            "may_drop": is_open and may_remove(actor),
            "is_open": is_open,
            "last_try": last_removal_try(removal) if removal.confirmed_at else None,
        }
        return render(request, "afterwards/removal.html", context)
    is_yes = request.POST.get("answer") == "confirm"
    decided = confirm_removal if is_yes else drop_removal
    done = "Confirmed. The worker deletes it when its time has come." if is_yes else "Dropped. It is kept."
    return act(request, reverse("ops:removal", args=[pk]), done, lambda: decided(actor=actor, removal_id=pk))
