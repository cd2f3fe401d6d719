"""Safety copies, their schedules, and the tokens by which a pipeline asks for them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from backups.domain.safety_copy import KEPT, CopyKind, CopyState, Origin, copy_name
from backups.models.choices import choices, one_of
from backups.models.ledger import FreeText
from backups.models.project import Project, ProtectedBranch


def _person(*, null: bool = False) -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=null, blank=null, related_name="+"
    )


class ApiToken(models.Model):
    """Lets a program do the few things of its scopes. Only a hash is stored; the secret is shown once."""

    label = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True, help_text="The part by which people recognise it")
    secret_sha256 = models.CharField(max_length=71, unique=True)
    scopes = models.JSONField()
    # Null: every project.
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, related_name="tokens")
    made_by = _person()
    made_by_name = models.CharField(max_length=150)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_by_name = models.CharField(max_length=150, blank=True)
    last_used_at = models.DateTimeField(null=True)
    window_from = models.DateTimeField(null=True, help_text="Calls are counted from here for a minute")
    window_calls = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(secret_sha256__regex=r"^sha256:[0-9a-f]{64}$"),  # noqa: S106 - the form of a hash
                name="token_hash_form",
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("made_at")), name="token_expires_later"),
            models.CheckConstraint(condition=~Q(scopes=[]), name="token_has_a_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.prefix})"


class SafetySchedule(models.Model):
    """One safety copy a day of a branch, each kept for its own number of days."""

    branch = models.OneToOneField(ProtectedBranch, on_delete=models.PROTECT, related_name="safety_schedule")
    is_on = models.BooleanField(default=True)
    hour = models.PositiveSmallIntegerField(help_text="UTC")
    minute = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(max_length=10, choices=choices(CopyKind), blank=True, help_text="Empty: what fits")
    keep_days = models.PositiveSmallIntegerField()
    since = models.DateTimeField(help_text="No planned time before this counts")
    changed_by_name = models.CharField(max_length=150)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(hour__lt=24, minute__lt=60), name="safety_schedule_time"),
            models.CheckConstraint(condition=Q(keep_days__gte=1, keep_days__lte=365), name="safety_schedule_keep"),
            models.CheckConstraint(
                condition=Q(kind="") | Q(kind__in=[kind.value for kind in CopyKind]), name="safety_schedule_kind"
            ),
        ]


class SafetyCopy(models.Model):
    """A copy made before risky work, or by a schedule. Changed only in services/safety_copy."""

    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, related_name="safety_copies")
    wanted_kind = models.CharField(max_length=10, choices=choices(CopyKind), blank=True, help_text="Empty: what fits")
    kind = models.CharField(max_length=10, choices=choices(CopyKind), blank=True, help_text="Empty: not decided yet")
    state = models.CharField(max_length=10, choices=choices(CopyState), default=CopyState.ASKED)
    name = models.CharField(max_length=256, blank=True)
    neon_id = models.CharField(max_length=60, blank=True)
    reason = models.ForeignKey(FreeText, on_delete=models.PROTECT, null=True, related_name="+")
    origin = models.CharField(max_length=10, choices=choices(Origin))
    asked_by = _person(null=True)
    asked_by_name = models.CharField(max_length=150)
    token = models.ForeignKey(ApiToken, on_delete=models.PROTECT, null=True, related_name="safety_copies")
    idempotency_key = models.CharField(max_length=80, blank=True)
    schedule = models.ForeignKey(SafetySchedule, on_delete=models.PROTECT, null=True, related_name="copies")
    slot_at = models.DateTimeField(null=True, help_text="The planned time that it fills")
    keep_days = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="The end of its retention")
    made_at = models.DateTimeField(null=True, help_text="When Neon was seen to have it")
    gone_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name_plural = "safety copies"
        constraints = [
            one_of("state", CopyState, "safety_copy_state"),
            one_of("origin", Origin, "safety_copy_origin"),
            models.CheckConstraint(
                condition=Q(kind="") | Q(kind__in=[kind.value for kind in CopyKind]), name="safety_copy_kind"
            ),
            models.CheckConstraint(
                condition=~Q(state=CopyState.MADE) | (~Q(neon_id="") & ~Q(kind="") & Q(made_at__isnull=False)),
                name="safety_copy_made_is_known",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at"), keep_days__gte=1), name="safety_copy_expires_later"
            ),
            models.CheckConstraint(
                condition=Q(origin=Origin.SCHEDULE, schedule__isnull=False, slot_at__isnull=False)
                | (~Q(origin=Origin.SCHEDULE) & Q(schedule__isnull=True, slot_at__isnull=True)),
                name="safety_copy_schedule",
            ),
            models.CheckConstraint(
                condition=Q(origin=Origin.TOKEN, token__isnull=False)
                | (~Q(origin=Origin.TOKEN) & Q(token__isnull=True)),
                name="safety_copy_token",
            ),
            models.UniqueConstraint(
                fields=["schedule", "slot_at"], condition=Q(schedule__isnull=False), name="safety_copy_slot_once"
            ),
            models.UniqueConstraint(
                fields=["token", "idempotency_key"],
                condition=Q(token__isnull=False) & ~Q(idempotency_key=""),
                name="safety_copy_idempotent",
            ),
        ]
        indexes = [
            # What the clean-up looks at.
            models.Index(
                fields=["expires_at"],
                name="safety_copy_kept",
                condition=Q(state__in=[state.value for state in sorted(KEPT)]),
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """The name that people say: S-0007."""
        return f"S-{self.pk:04d}"

    @property
    def chosen_name(self) -> str:
        """The name at Neon, known before the call."""
        return copy_name(self.branch.name, self.pk, scheduled_for=self.slot_at)
