"""The regular review of the log: when it is due, its events with their marks, and the signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from backups.admin.access import for_people_who_may
from backups.admin.afterwards.forms import ReviewActionForm
from backups.admin.audit.review_words import REASON, shown_item, shown_week
from backups.admin.audit.tabs import audit_tabs
from backups.admin.charts import strip
from backups.admin.form_page import FormPage, show_or_do
from backups.admin.frame import reader_zone_name, render
from backups.domain.ledger import Target
from backups.domain.log_review import Mark, Reason, sign_refusal
from backups.domain.people import Actor, Capability
from backups.models import LogReview, LogReviewItem
from backups.selectors.clock import database_now
from backups.selectors.log_review import (
    items_of,
    marks_by_item,
    problems_by_review,
    reviews,
    situation_of,
    standing,
    weeks,
)
from backups.services.ledger import event_meanings
from backups.services.log_review import Marking, add_review_action, mark_items, open_review, sign_review
from backups.services.reading import record_reading
from backups.services.restore.errors import InvalidInput, Refused

_REVIEWS_SHOWN = 30
#: On one page; more would be heavy on a phone.
_ITEMS_SHOWN = 20


@for_people_who_may(Capability.READ_LEDGER)
def listed(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Whether the log is reviewed: the last weeks, what is due, and every review."""
    record_reading(actor=actor, page="log_reviews")
    now = database_now()
    shown = list(reviews()[:_REVIEWS_SHOWN])
    problems = problems_by_review(shown)
    seen_weeks = [shown_week(week) for week in weeks(now)]
    context = {
        "tabs": audit_tabs(actor, "reviews"),
        "standing": standing(now),
        "weeks": seen_weeks,
        "strip": strip([(week.sign, week.tone, f"{week.days}: {week.words}") for week in seen_weeks]),
        "reviews": [(review, problems.get(review.pk, 0)) for review in shown],
        "may_review": actor.is_human and actor.may(Capability.REVIEW_LOG),
    }
    return render(request, "audit/reviews.html", context)


@for_people_who_may(Capability.REVIEW_LOG, "POST")
def start(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The machine draws; the seed is in the log before the first event is shown."""
    try:
        review = open_review(actor=actor)
    except Refused as refused:
        messages.error(request, refused.sentence)
        return redirect("ops:log-reviews")
    messages.success(request, "The events are drawn. Mark each of them, then sign.")
    return redirect("ops:log-review", pk=review.pk)


@for_people_who_may(Capability.READ_LEDGER, "GET", "POST")
def show(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The events of one review; sent, it keeps every mark of the page at once."""
    review = _review(pk)
    items = items_of(review)
    pages = max(1, -(-len(items) // _ITEMS_SHOWN))
    number = _page_number(request, pages)
    if request.method != "POST":
        record_reading(actor=actor, page="log_review", target=Target(kind="log_review", id=review.reference))
        return _page(request, actor, review, items, number, pages)
    here = _of_page(items, number)
    try:
        kept = mark_items(actor=actor, review_id=pk, markings=_typed(request, here))
    except InvalidInput as invalid:
        return _page(request, actor, review, items, number, pages, errors=invalid.errors)
    except Refused as refused:
        messages.error(request, refused.sentence)
        return _page(request, actor, review, items, number, pages, errors={})
    messages.success(request, f"Saved: {kept} {'mark' if kept == 1 else 'marks'}." if kept else "Nothing was new.")
    further = number < pages and "go_on" in request.POST
    return redirect(f"{reverse('ops:log-review', args=[pk])}?page={number + 1 if further else number}")


@for_people_who_may(Capability.REVIEW_LOG, "POST")
def sign(request: HttpRequest, actor: Actor, pk: int) -> HttpResponse:
    """The signature of the person who answers for the review."""
    _review(pk)
    try:
        sign_review(actor=actor, review_id=pk)
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, "Signed. Nothing of this review changes any more.")
    return redirect("ops:log-review", pk=pk)


@for_people_who_may(Capability.REVIEW_LOG, "GET", "POST")
def action(request: HttpRequest, actor: Actor, pk: int, item_id: int) -> HttpResponse:
    """A corrective action because of one event."""
    item = LogReviewItem.objects.filter(pk=item_id, review=pk).first()
    if item is None:
        raise Http404
    back = f"{reverse('ops:log-review', args=[pk])}?page={_page_of(item)}"
    form = ReviewActionForm(request.POST or None, reader_zone=reader_zone_name(request))

    def do(typed: ReviewActionForm) -> tuple[str, str]:
        data = typed.cleaned_data
        add_review_action(
            actor=actor,
            review_id=pk,
            item_id=item_id,
            title=data["title"],
            owner_id=int(data["owner"]),
            due_on=data["due_on"],
        )
        return back, "It is on the list of corrective actions."

    page = FormPage(
        title=f"Action because of event {item}", button="Add it", back=back, back_words=f"Review {_review(pk)}"
    )
    return show_or_do(request, page, form, do)


def _review(pk: int) -> LogReview:
    review = LogReview.objects.filter(pk=pk).first()
    if review is None:
        raise Http404
    return review


def _page_number(request: HttpRequest, pages: int) -> int:
    asked = request.GET.get("page", "1")
    return min(max(int(asked), 1), pages) if asked.isascii() and asked.isdigit() else 1


def _page_of(item: LogReviewItem) -> int:
    return (item.position - 1) // _ITEMS_SHOWN + 1


def _of_page(items: list[LogReviewItem], number: int) -> list[LogReviewItem]:
    return [item for item in items if _page_of(item) == number]


def _typed(request: HttpRequest, items: list[LogReviewItem]) -> dict[int, Marking]:
    """What was chosen; words without a mark are refused beside them, so that they are not lost. Raises InvalidInput."""
    found, errors = {}, {}
    for item in items:
        mark, words = request.POST.get(f"mark-{item.pk}", ""), request.POST.get(f"words-{item.pk}", "").strip()
        if mark in set(Mark):
            seen = request.POST.get(f"seen-{item.pk}", "")
            found[item.pk] = Marking(Mark(mark), words, int(seen) if seen.isascii() and seen.isdigit() else None)
        elif mark or words:
            errors[f"words-{item.pk}"] = "Choose fine, question or problem."
    if errors:
        raise InvalidInput(errors)
    return found


def _page(
    request: HttpRequest,
    actor: Actor,
    review: LogReview,
    items: list[LogReviewItem],
    number: int,
    pages: int,
    *,
    errors: Mapping[str, str] | None = None,
) -> HttpResponse:
    given = marks_by_item(items)
    newest = {key: marks[-1] for key, marks in given.items()}
    meanings, typed = event_meanings(), request.POST.dict() if errors is not None else None
    situation = situation_of(review, actor, items, newest)
    context: dict[str, Any] = {
        "tabs": audit_tabs(actor, "reviews"),
        "review": review,
        "shown": [
            shown_item(item, actor, given.get(item.pk, []), meanings, typed, (errors or {}).get(f"words-{item.pk}", ""))
            for item in _of_page(items, number)
        ],
        "situation": situation,
        "why_not": sign_refusal(situation),
        "left_out": [(REASON[Reason(reason)], count) for reason, count in review.left_out.items()],
        "number": number,
        "page_numbers": range(1, pages + 1),
        "errors": errors,
        "may_mark": actor.is_human and actor.may(Capability.REVIEW_LOG) and review.signed_at is None,
    }
    return render(request, "audit/review.html", context, status=200 if errors is None else 422)
