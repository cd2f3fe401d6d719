"""Erasures of what people wrote: one person asks, another agrees, and only then the words go."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from backups.domain.erasing import ErasureReason
from backups.models.choices import choices, one_of
from backups.models.ledger import FreeText
from backups.models.two_people import answered_by_another, person_field


class TextErasure(models.Model):
    """One wish to erase the words of one event. Written once; only the answer is added."""

    words = models.ForeignKey(FreeText, on_delete=models.PROTECT, related_name="erasures")
    reason = models.CharField(max_length=20, choices=choices(ErasureReason))
    asked_by = person_field()
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    agreed_by = person_field(null=True)
    agreed_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once
    agreed_at = models.DateTimeField(null=True)
    # Refused by another, or taken back by who asked.
    dropped_by = person_field(null=True)
    dropped_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            one_of("reason", ErasureReason, "erasure_reason"),
            models.UniqueConstraint(
                fields=["words"], condition=Q(dropped_at__isnull=True), name="erasure_asked_for_once"
            ),
            *answered_by_another("erasure", first="asked_by"),
        ]
        indexes = [
            # Files that may hold erased words: was anything erased since this one was begun?
            models.Index(fields=["-agreed_at"], condition=Q(agreed_at__isnull=False), name="erasure_newest"),
        ]

    def __str__(self) -> str:
        return f"erasure {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.agreed_at is None and self.dropped_at is None
