"""What pages, services and the monitor need to know of log reviews."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, QuerySet

from backups.domain.log_review import (
    GRACE,
    Mark,
    ReviewedWeek,
    ReviewOf,
    ReviewSituation,
    due_at,
    is_about,
    reviewed_weeks,
)
from backups.domain.people import Actor
from backups.models import LedgerEvent, LogReview, LogReviewItem, LogReviewMark

WEEKS_SHOWN = 13


@dataclass(frozen=True, slots=True)
class ReviewStanding:
    """Whether the log is reviewed. `due_at` is None for an empty log; `open` is the review that is not signed yet."""

    due_at: dt.datetime | None
    open: LogReview | None
    now: dt.datetime

    @property
    def is_due(self) -> bool:
        """From a day before."""
        return self.due_at is not None and self.now >= self.due_at - dt.timedelta(days=1)

    @property
    def is_overdue(self) -> bool:
        return self.due_at is not None and self.now > self.due_at

    @property
    def is_alarming(self) -> bool:
        """Overdue by more than a day."""
        return self.due_at is not None and self.now > self.due_at + GRACE


def began_at() -> dt.datetime | None:
    """When the first event was recorded."""
    return LedgerEvent.objects.order_by("recorded_at", "id").values_list("recorded_at", flat=True).first()


def standing(now: dt.datetime) -> ReviewStanding:
    """At most three queries."""
    newest = list(LogReview.objects.order_by("-ends_at")[:2])
    unsigned = next((each for each in newest if each.signed_at is None), None)
    signed = next((each for each in newest if each.signed_at is not None), None)
    covered_until = signed.ends_at if signed else began_at()
    due = None if covered_until is None else due_at(covered_until, settings.LOG_REVIEW_DAYS)
    return ReviewStanding(due, unsigned, now)


def reviews() -> QuerySet[LogReview]:
    """All, the newest first, each with the number of its events."""
    return LogReview.objects.annotate(item_count=Count("items")).order_by("-ends_at")


def weeks(now: dt.datetime) -> list[ReviewedWeek]:
    """The last thirteen weeks: reviewed in time, late, or not at all."""
    signed = LogReview.objects.filter(signed_at__isnull=False).values_list("ends_at", "signed_at")
    return reviewed_weeks(
        [ReviewOf(ends_at, signed_at) for ends_at, signed_at in signed if signed_at is not None],
        began_at=began_at(),
        now=now,
        every_days=settings.LOG_REVIEW_DAYS,
        weeks=WEEKS_SHOWN,
    )


def items_of(review: LogReview) -> list[LogReviewItem]:
    """The events of the review in their order, with what they say; without the bytes."""
    found = review.items.select_related("event").defer("event__body")
    return list(found.prefetch_related("actions").order_by("position"))


def newest_marks(items: Iterable[LogReviewItem]) -> dict[int, LogReviewMark]:
    """What counts of each item, by the item's key. One query."""
    given = LogReviewMark.objects.filter(item__in=[item.pk for item in items])
    newest = given.order_by("item_id", "-pk").distinct("item_id")
    with_words = newest.select_related("words__event").defer("words__event__body", "words__event__members")
    return {mark.item_id: mark for mark in with_words}


def marks_by_item(items: Iterable[LogReviewItem]) -> dict[int, list[LogReviewMark]]:
    """Every mark of each item, the newest last, by the item's key. One query."""
    found: dict[int, list[LogReviewMark]] = {}
    given = LogReviewMark.objects.filter(item__in=[item.pk for item in items]).order_by("pk")
    for mark in given.select_related("words"):
        found.setdefault(mark.item_id, []).append(mark)
    return found


def problems_by_review(reviews_shown: Iterable[LogReview]) -> dict[int, int]:
    """How many events of each review count as a problem, by the review's key. One query."""
    given = LogReviewMark.objects.filter(item__review__in=[review.pk for review in reviews_shown])
    found: dict[int, int] = {}
    newest = given.order_by("item_id", "-pk").distinct("item_id").values_list("item__review_id", "mark")
    for review_id, mark in newest:
        found[review_id] = found.get(review_id, 0) + (mark == Mark.PROBLEM)
    return found


def situation_of(
    review: LogReview, actor: Actor, items: list[LogReviewItem], marks: dict[int, LogReviewMark]
) -> ReviewSituation:
    """What the rule for the signature looks at."""
    problems = [item for item in items if item.pk in marks and marks[item.pk].mark == Mark.PROBLEM]
    return ReviewSituation(
        actor=actor,
        is_signed=review.signed_at is not None,
        items=len(items),
        marked=len(marks),
        unexplained=sum(marks[item.pk].words_id is None and not item.actions.all() for item in problems),
        marked_own=sum(
            marks[item.pk].marked_by_id == actor.user_id and concerns(item, actor) for item in items if item.pk in marks
        ),
    )


def concerns(item: LogReviewItem, actor: Actor) -> bool:
    """Whether the actor caused the event, or it is about the actor's account: then somebody else marks it."""
    event = item.event
    return is_about(actor.user_id, actor_ref=event.actor_ref, target_kind=event.target_kind, target_id=event.target_id)
