"""The regular review of the log: periods without a gap, the events drawn for each, marks and a signature."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backups.domain.log_review import Mark, Reason
from backups.models.choices import choices, one_of
from backups.models.ledger import FreeText, LedgerEvent


def _person(*, null: bool = False) -> Any:
    return models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=null, related_name="+")


class LogReview(models.Model):
    """One period of the log. The next one begins where this one ends, and only when this one is signed.

    So each period has one draw: the seed comes from the machine and is in the ledger before anybody sees an event.
    """

    # Null: the first. Unique, so no period is drawn twice.
    previous = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    # Null: nothing was sealed then.
    first_leaf = models.BigIntegerField(null=True)
    last_leaf = models.BigIntegerField(null=True)
    population = models.BigIntegerField(help_text="Events of the period")
    sample_size = models.PositiveSmallIntegerField()
    seed = models.BigIntegerField()
    # Of each kind that is always looked at: how many more there were than are shown.
    left_out = models.JSONField(default=dict)
    opened_by = _person()
    opened_by_name = models.CharField(max_length=150)
    opened_at = models.DateTimeField()
    signed_by = _person(null=True)
    signed_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once
    signed_at = models.DateTimeField(null=True)
    marks_sha256 = models.CharField(max_length=71, null=True)  # noqa: DJ001 - set once

    class Meta:
        ordering = ["-ends_at"]
        constraints = [
            models.UniqueConstraint(fields=["previous"], nulls_distinct=False, name="log_review_follows_once"),
            models.UniqueConstraint(fields=["begins_at"], name="log_review_one_draw_per_period"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("begins_at")), name="log_review_has_a_length"),
            models.CheckConstraint(condition=Q(opened_at__gte=F("ends_at")), name="log_review_not_of_the_future"),
            models.CheckConstraint(
                condition=Q(signed_by__isnull=True, signed_by_name=None, signed_at=None, marks_sha256=None)
                | Q(
                    signed_by__isnull=False,
                    signed_by_name__isnull=False,
                    signed_at__isnull=False,
                    marks_sha256__isnull=False,
                ),
                name="log_review_signature",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """`L-0007`."""
        return f"L-{self.pk:04d}"


class LogReviewItem(models.Model):
    """One event that is looked at, and why. Written when the review is opened, and never changed."""

    review = models.ForeignKey(LogReview, on_delete=models.PROTECT, related_name="items")
    event = models.ForeignKey(LedgerEvent, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=20, choices=choices(Reason))

    class Meta:
        ordering = ["review", "position"]
        constraints = [
            one_of("reason", Reason, "log_review_reason"),
            models.UniqueConstraint(fields=["review", "event"], name="log_review_event_once"),
            models.UniqueConstraint(fields=["review", "position"], name="log_review_position_once"),
        ]

    def __str__(self) -> str:
        return f"#{self.position}"


class LogReviewMark(models.Model):
    """What one person says of an event since `at`; the newest counts. Append-only, and never of one's own event."""

    item = models.ForeignKey(LogReviewItem, on_delete=models.PROTECT, related_name="marks")
    mark = models.CharField(max_length=12, choices=choices(Mark))
    words = models.ForeignKey(FreeText, on_delete=models.PROTECT, null=True, related_name="+")
    marked_by = _person()
    marked_by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        ordering = ["item", "pk"]
        constraints = [one_of("mark", Mark, "log_review_mark")]

    def __str__(self) -> str:
        return f"{self.mark} by {self.marked_by_name}"
