"""Exports of the ledger: who asked for which events, how far the file is, and what it was. Rows stay, files go."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from backups.domain.export import ExportFormat, ExportScope, ExportState
from backups.models.choices import choices, one_of


class LedgerExport(models.Model):
    """One file of events. A worker holds it until `lease_until`; `attempts` is also its fence."""

    format = models.CharField(max_length=10, choices=choices(ExportFormat))
    scope = models.JSONField(help_text="As ExportScope.to_json writes it")
    state = models.CharField(max_length=10, choices=choices(ExportState), default=ExportState.WAITING)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="ledger_exports")
    person_name = models.CharField(max_length=150)
    # Events that were recorded later are in no export that was asked for before.
    asked_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    began_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # None: not counted yet, or the count took too long.
    events_expected = models.BigIntegerField(null=True)
    events = models.BigIntegerField(default=0)
    sandbox_events = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    file_sha256 = models.CharField(max_length=71, blank=True)
    problem = models.CharField(max_length=400, blank=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-asked_at", "-pk")
        indexes = (
            # The worker's question, once a second: is there anything to do?
            models.Index(
                fields=["asked_at"],
                condition=Q(state__in=[ExportState.WAITING.value, ExportState.RUNNING.value]),
                name="ledger_export_open",
            ),
            # The list, newest first.
            models.Index(fields=["-asked_at", "-id"], name="ledger_export_newest"),
        )
        constraints = (
            one_of("format", ExportFormat, "ledger_export_format"),
            one_of("state", ExportState, "ledger_export_state"),
            models.CheckConstraint(
                name="ledger_export_runs_under_a_lease",
                condition=Q(state=ExportState.RUNNING.value, lease_until__isnull=False, attempts__gte=1)
                | (~Q(state=ExportState.RUNNING.value) & Q(lease_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="ledger_export_ready_has_its_hash",
                condition=~Q(state__in=[ExportState.READY.value, ExportState.REMOVED.value])
                | (Q(finished_at__isnull=False) & ~Q(file_sha256="")),
            ),
            models.CheckConstraint(
                name="ledger_export_failed_says_why",
                condition=~Q(state=ExportState.FAILED.value) | (Q(finished_at__isnull=False) & ~Q(problem="")),
            ),
            models.CheckConstraint(
                name="ledger_export_removed_has_its_time",
                condition=Q(state=ExportState.REMOVED.value, removed_at__isnull=False)
                | (~Q(state=ExportState.REMOVED.value) & Q(removed_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="ledger_export_counts",
                condition=Q(events__gte=0, bytes__gte=0, sandbox_events__gte=0, sandbox_events__lte=models.F("events")),
            ),
        )

    def __str__(self) -> str:
        return f"X-{self.pk:04d}"

    @property
    def chosen(self) -> ExportScope:
        """The scope as a domain value."""
        return ExportScope.from_json(self.scope)

    @property
    def kind(self) -> ExportFormat:
        """The format as a domain value."""
        return ExportFormat(self.format)

    @property
    def file_name(self) -> str:
        """In the directory of exports, and as it is saved by a browser."""
        return f"ledger-{self}-{self.asked_at:%Y%m%dT%H%M%SZ}.{self.kind.ending}"
