"""The canary: a numbered row, free of patients' data, that the portal writes into a branch again and again."""

from __future__ import annotations

from django.db import models

from backups.models.project import ProtectedBranch


class Canary(models.Model):
    """Whether a branch carries a canary, and how its last writing went."""

    branch = models.OneToOneField(ProtectedBranch, on_delete=models.PROTECT, related_name="canary")
    is_on = models.BooleanField(default=True)
    every_seconds = models.PositiveIntegerField(default=60)
    started_at = models.DateTimeField(help_text="Points before this have no canary to find")
    last_number = models.BigIntegerField(null=True)
    last_written_at = models.DateTimeField(null=True, help_text="By the branch's own clock")
    next_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=200, blank=True)
    problem_since = models.DateTimeField(null=True)
    changed_by_name = models.CharField(max_length=150)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(every_seconds__gte=5), name="canary_pace")]


class CanaryBeat(models.Model):
    """One row that was written: what a copy must, or must not, contain. Pruned after the history window."""

    branch = models.ForeignKey(ProtectedBranch, on_delete=models.CASCADE, related_name="beats")
    number = models.BigIntegerField()
    written_at = models.DateTimeField(help_text="By the branch's own clock")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["branch", "number"], name="canary_beat_once")]
        indexes = [models.Index(fields=["branch", "written_at"], name="canary_beat_time")]
