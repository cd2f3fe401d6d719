"""What the monitor found, what it could not tell, and what it must remember of Neon between two cycles."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backups.domain.monitor import FindingCode, Severity
from backups.models.choices import choices, one_of
from backups.models.project import Project, ProtectedBranch


class Finding(models.Model):
    """Something the monitor says is wrong. Open until its cause has gone, or until somebody has explained it."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, related_name="findings")
    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, null=True, related_name="findings")
    control = models.CharField(max_length=40)
    code = models.CharField(max_length=40, choices=choices(FindingCode))
    subject = models.CharField(
        max_length=300, blank=True, help_text="An id or a name at Neon; tells two of a kind apart"
    )
    severity = models.CharField(max_length=20, choices=choices(Severity))
    sentence = models.CharField(max_length=400)
    evidence = models.JSONField(default=dict, help_text="Ids, counts and times only")
    since = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    acknowledged_at = models.DateTimeField(null=True)
    # The words are with the event (see FreeText); the finding only knows which event that is.
    acknowledgement_event_id = models.UUIDField(null=True)
    explained_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    explanation_event_id = models.UUIDField(null=True)
    explained_with = models.CharField(max_length=60, blank=True, help_text="Reference of the record that explains it")
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-since", "-pk"]
        constraints = [
            one_of("code", FindingCode, "finding_code"),
            one_of("severity", Severity, "finding_severity"),
            models.UniqueConstraint(
                fields=["control", "project", "branch", "code", "subject"],
                condition=Q(closed_at__isnull=True),
                nulls_distinct=False,
                name="finding_open_once",
            ),
            models.CheckConstraint(
                condition=Q(acknowledged_by__isnull=True, acknowledged_at__isnull=True)
                | Q(acknowledged_by__isnull=False, acknowledged_at__isnull=False),
                name="finding_acknowledged_whole",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("since")), name="finding_closed_after_since"
            ),
            models.CheckConstraint(
                condition=Q(explained_by__isnull=True) | Q(closed_at__isnull=False), name="finding_explained_is_closed"
            ),
            models.CheckConstraint(
                condition=Q(branch__isnull=True) | Q(project__isnull=False), name="finding_branch_has_project"
            ),
        ]
        indexes = [
            # The list of findings, and the question whether there are any.
            models.Index(fields=["project", "branch"], name="finding_open", condition=Q(closed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"F-{self.pk:04d}"

    @property
    def reference(self) -> str:
        """`F-0042`."""
        return str(self)


class ControlState(models.Model):
    """When one control last had an answer about one branch, project or the portal, and since when it has none."""

    control = models.CharField(max_length=40)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="control_states")
    branch = models.ForeignKey(ProtectedBranch, on_delete=models.CASCADE, null=True, related_name="control_states")
    last_tried_at = models.DateTimeField()
    last_ok_at = models.DateTimeField(null=True, help_text="When it last had an answer, good or bad")
    unknown_since = models.DateTimeField(null=True)
    unknown_reason = models.CharField(max_length=300, blank=True)
    is_postponed = models.BooleanField(default=False, help_text="The portal itself held it back")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["control", "project", "branch"], nulls_distinct=False, name="control_state_once"
            ),
            models.CheckConstraint(
                condition=Q(unknown_since__isnull=True, unknown_reason="")
                | Q(unknown_since__isnull=False) & ~Q(unknown_reason=""),
                name="control_unknown_has_a_reason",
            ),
        ]


class ProjectWatch(models.Model):
    """What the monitor remembers of a project at Neon, and who is looking at it now.

    `known` is what the last complete look saw: names, protection, reset times, schedules; ids and times only.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="watch")
    next_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    last_begun_at = models.DateTimeField(null=True)
    last_ended_at = models.DateTimeField(null=True)
    known = models.JSONField(default=dict)
    known_at = models.DateTimeField(null=True)
    operations_since = models.DateTimeField(null=True, help_text="By Neon's clock: older operations were judged")
    judged_operations = models.JSONField(default=list, help_text="Ids of operations judged at or after that time")
    consumption_at = models.DateTimeField(null=True, help_text="When the figures of consumption were last read")

    def __str__(self) -> str:
        return f"watch of {self.project_id}"


class MonitorRun(models.Model):
    """One cycle, for people who ask whether the monitor runs. Old rows are pruned."""

    origin = models.CharField(max_length=20)
    started_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField()
    projects = models.PositiveIntegerField()
    calls = models.PositiveIntegerField()
    failed_calls = models.PositiveIntegerField()
    answered = models.PositiveIntegerField(help_text="Controls that had an answer")
    unknown = models.PositiveIntegerField(help_text="Controls that could not tell")
    opened = models.PositiveIntegerField()
    closed = models.PositiveIntegerField()

    class Meta:
        ordering = ["-started_at"]


class MetricSample(models.Model):
    """One figure at one time, for trends. Thinned to one a day after a while, and pruned."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="samples")
    branch = models.ForeignKey(ProtectedBranch, on_delete=models.CASCADE, null=True, related_name="samples")
    name = models.CharField(max_length=40)
    at = models.DateTimeField()
    value = models.FloatField()

    class Meta:
        ordering = ["at"]
        indexes = [models.Index(fields=["project", "branch", "name", "at"], name="sample_series")]


class BackupPlan(models.Model):
    """The backups that people declared for a branch. Without a row the defaults of its environment count."""

    branch = models.OneToOneField(
        ProtectedBranch, on_delete=models.CASCADE, primary_key=True, related_name="backup_plan"
    )
    schedule = models.JSONField(default=list, help_text="Rules as Neon takes them; an empty list wants none")
    history_seconds = models.PositiveIntegerField()
    changed_by_name = models.CharField(max_length=150)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(history_seconds__lte=2_592_000), name="plan_history_at_most_30_days")
        ]


class PlanProposal(models.Model):
    """Somebody's wish to bring Neon to what is declared; one other person, a manager, agrees or refuses."""

    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, related_name="plan_proposals")
    wanted = models.JSONField(help_text="Schedule and history window that will be sent, as they were when proposed")
    seen = models.JSONField(help_text="What Neon had when it was proposed: the rest of it will vanish")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=400, blank=True, help_text="What came of it, in a sentence")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True)
                | (Q(decided_by__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="plan_proposal_two_people",
            ),
            models.CheckConstraint(
                condition=Q(applied_at__isnull=True) | Q(confirmed_at__isnull=False), name="plan_applied_was_confirmed"
            ),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True) | Q(refused_at__isnull=True), name="plan_proposal_one_answer"
            ),
            models.UniqueConstraint(
                fields=["branch"],
                condition=Q(confirmed_at__isnull=True, refused_at__isnull=True),
                name="plan_one_open_proposal",
            ),
        ]
