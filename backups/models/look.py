"""A look at a past moment: a self-deleting copy, without a request."""

from __future__ import annotations

from enum import StrEnum

from django.conf import settings
from django.db import models

from backups.domain.restore import PointKind, RestorePoint
from backups.models.choices import choices, one_of
from backups.models.project import ProtectedBranch


class LookState(StrEnum):
    """Where a look stands."""

    OPENING = "opening"
    READY = "ready"
    FAILED = "failed"
    CLOSED = "closed"


class Look(models.Model):
    """What a branch held at a moment: counts, newest row, migration head."""

    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, related_name="looks")
    point_kind = models.CharField(max_length=10, choices=choices(PointKind))
    point_at = models.DateTimeField(null=True)
    point_lsn = models.CharField(max_length=20, blank=True)
    state = models.CharField(max_length=10, choices=choices(LookState), default=LookState.OPENING)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="looks")
    person_name = models.CharField(max_length=150)
    facts = models.JSONField(default=dict)
    problem = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [one_of("state", LookState, "look_state")]

    def __str__(self) -> str:
        return f"L-{self.pk:04d}"

    @property
    def point(self) -> RestorePoint:
        """The moment as a domain value."""
        return RestorePoint(PointKind(self.point_kind), at=self.point_at, lsn=self.point_lsn)

    @property
    def copy_name(self) -> str:
        """The name of the copy at Neon."""
        return f"look_L-{self.pk:04d}"
