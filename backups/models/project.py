"""Neon projects, the branches that the portal governs, and the branches that it made."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backups.domain.execution import BranchFate, BranchPurpose
from backups.domain.policy import Environment, effective_environment
from backups.models.choices import choices, one_of


class Project(models.Model):
    """A Neon project, real or in a sandbox."""

    name = models.CharField(max_length=256)
    neon_project_id = models.CharField(max_length=60)
    api_host = models.URLField(help_text="Base address of the API, e.g. https://console.neon.tech/api/v2")
    is_sandbox = models.BooleanField(default=False)
    api_key_encrypted = models.BinaryField(null=True, editable=False)
    plan = models.CharField(max_length=40, blank=True)
    region = models.CharField(max_length=60, blank=True)
    pg_version = models.PositiveSmallIntegerField(null=True)
    history_retention_seconds = models.PositiveIntegerField(null=True)
    root_branch_cap = models.PositiveSmallIntegerField(null=True)
    # Null: the usual ones (domain/afterwards.py).
    other_systems = models.JSONField(
        null=True, blank=True, help_text="Systems that a restore of the database does not take back"
    )
    connect_report = models.JSONField(default=dict, blank=True)
    connected_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_host", "neon_project_id"], name="project_once")]

    def __str__(self) -> str:
        return self.name


class ProtectedBranch(models.Model):
    """A branch that the portal governs, with its environment."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="branches")
    neon_branch_id = models.CharField(max_length=60)
    name = models.CharField(max_length=256)
    # Null: nobody has classified it yet, which is not the same as an empty answer.
    label = models.CharField(max_length=20, choices=choices(Environment), null=True, blank=True)  # noqa: DJ001
    is_root = models.BooleanField(null=True)
    is_default = models.BooleanField(default=True)
    is_neon_protected = models.BooleanField(default=True)
    required_tables = models.JSONField(default=list, blank=True)
    database_name = models.CharField(max_length=63, blank=True)
    role_name = models.CharField(max_length=63, blank=True)
    health_url = models.URLField(blank=True)
    missing_since = models.DateTimeField(null=True)
    # Neon refuses a restore in place for a time that it does not tell, and says so in the branch's facts.
    is_from_snapshot = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "protected branches"
        constraints = [
            models.UniqueConstraint(fields=["project", "neon_branch_id"], name="branch_once"),
            models.CheckConstraint(
                condition=Q(label__isnull=True) | Q(label__in=[e.value for e in Environment]), name="branch_label"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project.name} / {self.name}"

    @property
    def environment(self) -> Environment:
        """The environment that counts for policy; unclassified is production."""
        return effective_environment(
            label=Environment(self.label) if self.label else None,
            is_default=self.is_default,
            is_neon_protected=self.is_neon_protected,
        )


class FormerBranchId(models.Model):
    """An id that a governed branch had at Neon until a restore from a snapshot gave it another one.

    Snapshots taken before still name the former id as their source.
    """

    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, related_name="former_ids")
    neon_branch_id = models.CharField(max_length=60)
    request = models.ForeignKey("backups.RestoreRequest", on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField()

    class Meta:
        ordering = ["branch", "until"]
        constraints = [
            models.UniqueConstraint(fields=["branch", "neon_branch_id"], name="former_id_once"),
        ]

    def __str__(self) -> str:
        return self.neon_branch_id


class TableMeaning(models.Model):
    """What a table means to people, and whether lost rows touch a patient's safety."""

    branch = models.ForeignKey(ProtectedBranch, on_delete=models.CASCADE, related_name="meanings")
    table = models.CharField(max_length=200, help_text="schema.table")
    meaning = models.CharField(max_length=120, help_text="Plain words, e.g. doses given")
    patient_safety = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["branch", "table"], name="meaning_once")]

    def __str__(self) -> str:
        return f"{self.table}: {self.meaning}"


class EnvironmentProposal(models.Model):
    """A lower label that one person asked for and a second must confirm."""

    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, related_name="proposals")
    label = models.CharField(max_length=20, choices=choices(Environment))
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(auto_now_add=True)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("proposed_by")),
                name="environment_two_people",
            ),
            models.UniqueConstraint(
                fields=["branch"],
                condition=Q(confirmed_at__isnull=True, refused_at__isnull=True),
                name="environment_one_open_proposal",
            ),
        ]


class PolicyVersion(models.Model):
    """The approval policy in force from `created_at` on. Rows are never changed."""

    number = models.PositiveIntegerField(unique=True)
    body = models.JSONField()
    created_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"policy v{self.number}"


class OwnedBranch(models.Model):
    """A branch at Neon that exists because of the portal.

    Its name is chosen before the call, so that it can be found again after a lost answer.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="owned_branches")
    name = models.CharField(max_length=256)
    neon_branch_id = models.CharField(max_length=60, blank=True)
    purpose = models.CharField(max_length=20, choices=choices(BranchPurpose))
    fate = models.CharField(max_length=20, choices=choices(BranchFate), default=BranchFate.INTENDED)
    owner_name = models.CharField(max_length=150)
    request = models.ForeignKey(
        "backups.RestoreRequest", on_delete=models.PROTECT, null=True, related_name="owned_branches"
    )
    look = models.ForeignKey("backups.Look", on_delete=models.PROTECT, null=True, related_name="owned_branches")
    drill = models.ForeignKey("backups.Drill", on_delete=models.PROTECT, null=True, related_name="owned_branches")
    safety_copy = models.ForeignKey(
        "backups.SafetyCopy", on_delete=models.PROTECT, null=True, related_name="owned_branches"
    )
    expires_at = models.DateTimeField(null=True, help_text="When Neon removes it by itself; empty: kept until deleted")
    created_at = models.DateTimeField(auto_now_add=True)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "owned branches"
        constraints = [
            # Neon's own "<name> (old)" comes back once the branch that had it is gone or has another name.
            models.UniqueConstraint(
                fields=["project", "name"], condition=~Q(fate=BranchFate.GONE), name="owned_branch_name_once"
            ),
            one_of("fate", BranchFate, "owned_branch_fate"),
            one_of("purpose", BranchPurpose, "owned_branch_purpose"),
            models.CheckConstraint(
                condition=Q(request__isnull=False)
                | Q(look__isnull=False)
                | Q(drill__isnull=False)
                | Q(safety_copy__isnull=False),
                name="owned_branch_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.name
