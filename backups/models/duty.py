"""What has to be done again and again, or once, so that a recovery will work; and the printed runbooks."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from backups.domain.duty import DoneBy
from backups.models.choices import choices
from backups.models.ledger import FreeText
from backups.models.project import Project


class DutyTask(models.Model):
    """One duty in one period. It is opened and judged by the portal; services/duties.py is its only writer."""

    code = models.CharField(max_length=40)
    period_from = models.DateTimeField(help_text="Proof older than this is of an earlier period")
    due_at = models.DateTimeField()
    # Null: not done.
    done_at = models.DateTimeField(null=True)
    done_by = models.CharField(max_length=10, choices=choices(DoneBy), blank=True)
    done_by_name = models.CharField(max_length=150, blank=True)
    proof = models.CharField(max_length=200, blank=True, help_text="What the portal saw, in its own words")
    reason = models.ForeignKey(FreeText, on_delete=models.PROTECT, null=True, related_name="+")
    told_overdue_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()

    class Meta:
        ordering = ["due_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["code", "period_from"], name="duty_once_a_period"),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True, done_by="")
                | (Q(done_at__isnull=False, done_by=DoneBy.SEEN) & ~Q(proof=""))
                | (Q(done_at__isnull=False, done_by=DoneBy.PERSON, reason__isnull=False) & ~Q(done_by_name="")),
                name="duty_done_has_proof",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], name="duty_open", condition=Q(done_at__isnull=True))]

    def __str__(self) -> str:
        return self.code


class RunbookCopy(models.Model):
    """The newest runbook of a project that was written to the runbooks' directory."""

    project = models.OneToOneField(Project, on_delete=models.PROTECT, related_name="runbook")
    written_at = models.DateTimeField(null=True)
    setup_sha256 = models.CharField(max_length=71, blank=True, help_text="Of the facts that it was made from")
    content_sha256 = models.CharField(max_length=71, blank=True)
    problem = models.CharField(max_length=200, blank=True)
    problem_since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"runbook of {self.project_id}"
