"""Verifications of the whole ledger that somebody asked for on a page: how far one is, and what it found."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from backups.domain.ledger_verification import Verdict, VerificationState
from backups.models.choices import choices, one_of


class LedgerVerification(models.Model):
    """One look at every event. A worker holds it until `lease_until`; `attempts` is also its fence."""

    state = models.CharField(max_length=10, choices=choices(VerificationState), default=VerificationState.WAITING)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    began_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    events_expected = models.BigIntegerField(default=0)
    # Looked at so far, and in the end all that have a place in the tree.
    events = models.BigIntegerField(default=0)
    verdict = models.CharField(max_length=10, choices=choices(Verdict), blank=True)
    # Under the last checkpoint that holds, with its root in hex; under the last anchor that agrees.
    sealed = models.BigIntegerField(default=0)
    root = models.CharField(max_length=64, blank=True)
    anchored = models.BigIntegerField(default=0)
    # What it was held against: public keys as text, and directories of anchors with their number of checkpoints.
    keys = models.JSONField(default=list)
    anchors = models.JSONField(default=list)
    # Sentences, the first of them only; `findings_count` is of all.
    findings = models.JSONField(default=list)
    findings_count = models.PositiveIntegerField(default=0)
    remarks = models.JSONField(default=list)
    problem = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering = ("-asked_at", "-pk")
        constraints = (
            one_of("state", VerificationState, "ledger_verification_state"),
            models.CheckConstraint(
                name="ledger_verification_verdict",
                condition=Q(state=VerificationState.DONE.value, verdict__in=[each.value for each in Verdict])
                | (~Q(state=VerificationState.DONE.value) & Q(verdict="")),
            ),
            models.CheckConstraint(
                name="ledger_verification_verified_without_finding",
                condition=Q(verdict=Verdict.VERIFIED.value, findings_count=0) | ~Q(verdict=Verdict.VERIFIED.value),
            ),
            models.CheckConstraint(
                name="ledger_verification_runs_under_a_lease",
                condition=Q(state=VerificationState.RUNNING.value, lease_until__isnull=False, attempts__gte=1)
                | (~Q(state=VerificationState.RUNNING.value) & Q(lease_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="ledger_verification_failed_says_why",
                condition=~Q(state=VerificationState.FAILED.value) | (Q(finished_at__isnull=False) & ~Q(problem="")),
            ),
            # It reads the whole log: nobody makes the worker do so twice at once.
            models.UniqueConstraint(
                fields=["state"],
                condition=Q(state__in=[VerificationState.WAITING.value, VerificationState.RUNNING.value]),
                name="ledger_verification_one_at_a_time",
            ),
        )

    def __str__(self) -> str:
        return f"V-{self.pk:04d}"

    @property
    def is_open(self) -> bool:
        """Whether a worker still has to do with it."""
        return self.state in (VerificationState.WAITING, VerificationState.RUNNING)
