"""Erasing what somebody wrote: the question, what waits for a second person, and the decision."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.audit.event_words import event_row, event_url
from backups.admin.audit.tabs import audit_tabs
from backups.admin.form_page import FormPage, show_or_do
from backups.admin.form_parts import PlainForm
from backups.admin.frame import reader_zone_name, render
from backups.domain.erasing import ErasureReason, hold_sentence
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.models import FreeText, TextErasure
from backups.selectors.erasing import erasures, same_words
from backups.selectors.retention import legal_hold
from backups.services.erasing import agree_to_erasure, ask_for_erasure, refuse_erasure, withdraw_erasure
from backups.services.reading import record_reading
from backups.services.restore.errors import Refused

MOST_LISTED = 100
REASONS = {
    ErasureReason.PATIENT_DATA: "They are about a patient",
    ErasureReason.OTHER_PERSON: "They are about somebody else, who is no patient",
    ErasureReason.SECRET: "They hold a key or a password",
    ErasureReason.ORDERED: "A court or an authority ordered it",
}
#: Where the portal cannot go. Said before anybody decides.
OUT_OF_REACH = (
    "Files that were downloaded: bundles hold what people wrote. Those that still lie on the server can't be "
    "downloaded any more, and the worker deletes them. CSV and OCSF files hold no words.",
    "Backups and the write-ahead log of the portal's own database, until they are overwritten.",
    "What somebody printed, photographed or copied from a page.",
    "Titles, names without an account, names and content of attached files: they are no part of an event.",
)


class EraseForm(PlainForm):
    """Why, by a code: words would only repeat what is to go."""

    reason = forms.ChoiceField(
        label="Why must they go?",
        widget=forms.RadioSelect,
        choices=[(each.value, words) for each, words in REASONS.items()],
        error_messages={"required": "Choose one.", "invalid_choice": "Choose one."},
    )


@for_people_who_may(Capability.ASK_ERASURE, "GET", "POST")
def ask(request: HttpRequest, actor: Actor, event_id: UUID) -> HttpResponse:
    """The question to the first person: what would go, what stays, and what can't be reached."""
    words = FreeText.objects.select_related("event").filter(pk=event_id).first()
    if words is None:
        raise Http404
    back = event_url(words.event)
    page = FormPage(
        title="Erase the words of this event?",
        button="Ask a second person",
        back=back,
        back_words="Event",
        is_grave=True,
        template="audit/erase.html",
        more={"row": event_row(words.event)} | _consequences(words),
    )

    def do(typed: EraseForm) -> tuple[str, str]:
        reason = ErasureReason(typed.cleaned_data["reason"])
        erasure = ask_for_erasure(actor=actor, event_id=event_id, reason=reason)
        said = "Asked. Nothing is erased until another manager, who did not write these words, agrees."
        return reverse("ops:erasure", args=[erasure.pk]), said

    return show_or_do(request, page, EraseForm(request.POST or None, reader_zone=reader_zone_name(request)), do)


@for_people_who_may(Capability.READ_LEDGER)
def listed(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What waits, and what was erased or not. The words themselves stand on no list."""
    record_reading(actor=actor, page="erasures")
    found = list(erasures()[:MOST_LISTED])
    context = {
        "tabs": audit_tabs(actor, "erasures"),
        "waiting": [_row(each) for each in found if each.is_open],
        "decided": [_row(each) for each in found if not each.is_open],
        "most": MOST_LISTED,
        "hold": legal_hold(),
    }
    return render(request, "audit/erasures.html", context)


@for_people_who_may(Capability.READ_LEDGER, "GET", "POST")
def decide(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The second person reads the words and decides, or the first one takes it back."""
    erasure = erasures().filter(pk=pk).first()
    if erasure is None:
        raise Http404
    if request.method == "POST":
        return _decided(request, actor, pk)
    record_reading(actor=actor, page="erasure", target=Target(kind="event", id=str(erasure.words_id)))
    is_own = erasure.asked_by_id == actor.user_id
    is_author = erasure.words.event.actor_ref == actor.ref
    agrees = erasure.is_open and actor.is_human and actor.may(Capability.AGREE_ERASURE) and not is_own
    context = {
        "tabs": audit_tabs(actor, "erasures"),
        "erasure": erasure,
        "row": event_row(erasure.words.event),
        "reason": REASONS[ErasureReason(erasure.reason)],
        "state": _state(erasure),
        "may_agree": agrees and not is_author,
        "may_refuse": agrees,
        "may_withdraw": erasure.is_open and is_own,
        "is_author": is_author,
    } | _consequences(erasure.words)
    return render(request, "audit/erasure.html", context)


def _decided(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    answer = request.POST.get("answer", "")
    try:
        if answer == "erase":
            count = len(agree_to_erasure(actor=actor, erasure_id=pk))
            where = "one event" if count == 1 else f"{count} events"
            messages.success(request, f"Erased, in {where}. The record verifies as before.")
        elif answer == "refuse":
            refuse_erasure(actor=actor, erasure_id=pk)
            messages.success(request, "Refused. The words stay.")
        elif answer == "withdraw":
            withdraw_erasure(actor=actor, erasure_id=pk)
            messages.success(request, "Taken back. The words stay.")
        else:
            messages.error(request, "Choose what to do. Nothing was changed.")
    except Refused as refused:
        messages.error(request, refused.sentence)
    return redirect("ops:erasure", pk=pk)


def _consequences(words: FreeText) -> dict[str, object]:
    """What the page says of the words' copies. The event's own row is not counted among the others."""
    others = same_words(words).exclude(pk=words.pk).count() if not words.erased_at else 0
    return {"others": others, "out_of_reach": OUT_OF_REACH, "hold": hold_sentence(legal_hold())}


def _row(erasure: TextErasure) -> dict[str, object]:
    return {
        "erasure": erasure,
        "event": event_row(erasure.words.event),
        "reason": REASONS[ErasureReason(erasure.reason)],
        "state": _state(erasure),
    }


def _state(erasure: TextErasure) -> tuple[str, str]:
    """Words and tone."""
    if erasure.agreed_at:
        return f"erased, agreed to by {erasure.agreed_by_name}", "good"
    if erasure.dropped_at:
        own = erasure.dropped_by_id == erasure.asked_by_id
        return ("taken back" if own else f"refused by {erasure.dropped_by_name}"), "unknown"
    return "waits for a second person", "warn"
