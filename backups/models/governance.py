"""The governance register: versions that one person proposes and another agrees to."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from backups.domain.governance import MAX_OBJECTIVE_SECONDS, Criticality, DataClass, Register
from backups.models.choices import choices, one_of
from backups.models.ledger import FreeText
from backups.models.project import Project
from backups.models.two_people import answered_by_another, person_field


class GovernanceVersion(models.Model):
    """What is said of one project. Written once; only the answer is added. The newest one agreed on counts."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="governance")
    number = models.PositiveIntegerField()
    data_class = models.CharField(max_length=20, choices=choices(DataClass))
    criticality = models.CharField(max_length=20, choices=choices(Criticality))
    rto_seconds = models.PositiveIntegerField()
    rpo_seconds = models.PositiveIntegerField()
    plan_title = models.CharField(max_length=200)
    plan_url = models.URLField(max_length=300, blank=True)
    review_on = models.DateField(help_text="When the contingency plan is read again")
    baa_on = models.DateField(null=True, help_text="Date of the business associate agreement; empty: there is none")
    owner = person_field()
    owner_name = models.CharField(max_length=150)
    technical_owner = person_field()
    technical_owner_name = models.CharField(max_length=150)
    note = models.ForeignKey(FreeText, on_delete=models.PROTECT, null=True, related_name="+")
    proposed_by = person_field()
    proposed_by_name = models.CharField(max_length=150)
    proposed_at = models.DateTimeField()
    agreed_by = person_field(null=True)
    agreed_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once
    agreed_at = models.DateTimeField(null=True)
    # Refused by another, or taken back by who proposed it.
    dropped_by = person_field(null=True)
    dropped_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["project", "-number"]
        constraints = [
            one_of("data_class", DataClass, "governance_data_class"),
            one_of("criticality", Criticality, "governance_criticality"),
            models.UniqueConstraint(fields=["project", "number"], name="governance_number_once"),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(agreed_at__isnull=True, dropped_at__isnull=True),
                name="governance_one_open_proposal",
            ),
            *answered_by_another("governance", first="proposed_by"),
            models.CheckConstraint(
                condition=Q(rto_seconds__gt=0, rpo_seconds__gt=0)
                & Q(rto_seconds__lte=MAX_OBJECTIVE_SECONDS, rpo_seconds__lte=MAX_OBJECTIVE_SECONDS),
                name="governance_objectives",
            ),
        ]
        indexes = [
            # What counts now, of each project.
            models.Index(fields=["project", "-number"], condition=Q(agreed_at__isnull=False), name="governance_agreed"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"

    @property
    def says(self) -> Register:
        """The content, for the rules."""
        return Register(
            data_class=DataClass(self.data_class),
            criticality=Criticality(self.criticality),
            rto_seconds=self.rto_seconds,
            rpo_seconds=self.rpo_seconds,
            plan_title=self.plan_title,
            plan_url=self.plan_url,
            review_on=self.review_on,
            baa_on=self.baa_on,
            owner_id=self.owner_id,
            technical_owner_id=self.technical_owner_id,
        )

    @property
    def is_open(self) -> bool:
        return self.agreed_at is None and self.dropped_at is None
