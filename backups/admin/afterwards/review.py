"""The review of a restore: its sections, and the signature."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.afterwards.checklist import act, cause_of, get_checklist
from backups.admin.afterwards.forms import ReviewForm
from backups.admin.afterwards.words import SECTION
from backups.admin.form_page import FormPage, show_or_do
from backups.admin.frame import reader_zone_name, render
from backups.admin.restore.blocks import band_of
from backups.domain.afterwards import ReviewSection
from backups.domain.afterwards_rules import review_refusal
from backups.domain.people import Actor, Capability
from backups.selectors.afterwards import actions_of, newest_texts
from backups.services.afterwards.review import sign_review, situation_of, write_review


@for_people_who_may(Capability.READ_REQUESTS)
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """What the review says, who wrote it, and who signed it."""
    checklist = get_checklist(pk)
    texts = newest_texts(checklist.review)
    written = {section: str(text.text) for section, text in texts.items()}
    context = {
        "checklist": checklist,
        "cause": cause_of(checklist),
        "band": band_of(checklist.branch),
        "review": checklist.review,
        "sections": [(SECTION[section], texts.get(section)) for section in ReviewSection],
        "actions": list(actions_of(checklist)),
        "why_not": review_refusal(situation_of(checklist.review, actor, written)),
        "may_write": actor.is_human and actor.may(Capability.WORK_AFTERWARDS) and checklist.review.signed_at is None,
    }
    return render(request, "afterwards/review.html", context)


@for_people_who_may(Capability.WORK_AFTERWARDS, "GET", "POST")
def write(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The sections as a form."""
    checklist = get_checklist(pk)
    back = reverse("ops:review", args=[pk])
    initial = {section.value: str(text.text) for section, text in newest_texts(checklist.review).items()}
    form = ReviewForm(request.POST or None, initial=initial, reader_zone=reader_zone_name(request))

    def do(typed: ReviewForm) -> tuple[str, str]:
        write_review(actor=actor, checklist_id=pk, sections=typed.sections())
        return back, "Saved. Who wrote what, and when, is kept."

    page = FormPage(
        title=f"Review of {checklist.reference}",
        button="Save",
        back=back,
        back_words="Review",
        hint="Auditors read this. No patient details, please. A section can be left for later.",
        more={"band": band_of(checklist.branch)},
    )
    return show_or_do(request, page, form, do)


@for_people_who_may(Capability.SIGN_REVIEW, "POST")
def sign(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The signature of a manager who took no part."""
    get_checklist(pk)
    return act(
        request,
        reverse("ops:review", args=[pk]),
        "Signed. The review can't be changed any more.",
        lambda: sign_review(actor=actor, checklist_id=pk),
    )
