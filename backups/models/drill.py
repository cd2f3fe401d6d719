"""Drills, planned times, and what people add to them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backups.domain.drill import (
    DrillOutcome,
    DrillState,
    DrillType,
    FindingSeverity,
    PointChoice,
    SlotState,
)
from backups.domain.restore import Scenario
from backups.models.choices import choices, one_of, only_one
from backups.models.drill_plan import DrillPlan
from backups.models.ledger import FreeText
from backups.models.project import Project, ProtectedBranch
from backups.models.restore import RestoreRequest


def _person(related_name: str = "+", *, null: bool = False) -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=null, blank=null, related_name=related_name
    )


def _text(*, null: bool = True) -> Any:
    return models.ForeignKey(FreeText, on_delete=models.PROTECT, null=null, blank=null, related_name="+")


class Drill(models.Model):
    """One rehearsal. State and outcome change only in services/drill."""

    type = models.CharField(max_length=12, choices=choices(DrillType))
    is_automatic = models.BooleanField()
    state = models.CharField(max_length=12, choices=choices(DrillState))
    # Null: it has not ended, which no word for an outcome says.
    outcome = models.CharField(max_length=14, choices=choices(DrillOutcome), null=True)  # noqa: DJ001
    title = models.CharField(max_length=160)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="drills")
    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, null=True, related_name="drills")
    plan = models.ForeignKey(DrillPlan, on_delete=models.PROTECT, null=True, related_name="drills")
    scenario = models.CharField(max_length=30, choices=choices(Scenario))
    # Null: the portal itself, by a plan's schedule.
    asked_by = _person("drills_asked", null=True)
    asked_by_name = models.CharField(max_length=150)
    # The plan as it was: a later change must not rewrite what was rehearsed.
    plan_facts = models.JSONField(default=dict)
    point_choice = models.CharField(max_length=10, choices=choices(PointChoice), blank=True)
    seed = models.BigIntegerField(null=True, help_text="Of the random point; the same seed finds the same point")
    window_from = models.DateTimeField(null=True)
    window_to = models.DateTimeField(null=True)
    point_at = models.DateTimeField(null=True)
    rto_objective_seconds = models.PositiveIntegerField(null=True)
    rpo_objective_seconds = models.PositiveIntegerField(null=True)
    rto_milliseconds = models.PositiveBigIntegerField(
        null=True, help_text="Measured: asked for to verified, without the time in which the drill yielded"
    )
    rpo_milliseconds = models.PositiveBigIntegerField(null=True, help_text="Measured: age of the newest data at T")
    rpo_is_exact = models.BooleanField(
        null=True, help_text="By the canary; otherwise the age is an upper bound, as nobody may have written"
    )
    yielded_milliseconds = models.PositiveBigIntegerField(
        default=0, help_text="How long the drill stood still for a production request"
    )
    yielding_since = models.DateTimeField(null=True)
    # The stages of a recovery with people in it; an automatic drill has no approval.
    planned_for = models.DateTimeField(null=True)
    noticed_at = models.DateTimeField(null=True)
    requested_at = models.DateTimeField(null=True)
    approved_at = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)
    connectable_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    time_limit_at = models.DateTimeField(null=True)
    outcome_code = models.CharField(max_length=60, blank=True)
    outcome_sentence = models.CharField(max_length=400, blank=True)
    cancel_asked_by_name = models.CharField(max_length=150, blank=True)
    # By hand: what was to be rehearsed, and what came of it, in people's own words.
    story = _text()
    conclusion = _text()
    restore_request = models.ForeignKey(
        RestoreRequest, on_delete=models.PROTECT, null=True, related_name="drills", help_text="The restore rehearsed"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            one_of("type", DrillType, "drill_type"),
            one_of("state", DrillState, "drill_state"),
            models.CheckConstraint(
                condition=Q(outcome__isnull=True) | Q(outcome__in=[o.value for o in DrillOutcome]), name="drill_outcome"
            ),
            models.CheckConstraint(
                condition=Q(state=DrillState.ENDED, outcome__isnull=False, ended_at__isnull=False)
                | (~Q(state=DrillState.ENDED) & Q(outcome__isnull=True)),
                name="drill_ended_has_outcome",
            ),
            models.CheckConstraint(
                condition=Q(is_automatic=False) | Q(branch__isnull=False, plan__isnull=False, type="functional"),
                name="drill_automatic_has_plan",
            ),
            models.CheckConstraint(
                condition=~Q(is_automatic=True, outcome=DrillOutcome.PASSED)
                | Q(rto_milliseconds__lte=F("rto_objective_seconds") * 1000),
                name="drill_passed_in_time",
            ),
            models.CheckConstraint(
                condition=Q(window_from__isnull=True) | Q(point_at__gte=F("window_from"), point_at__lte=F("window_to")),
                name="drill_point_in_window",
            ),
            models.UniqueConstraint(
                fields=["plan"],
                condition=Q(is_automatic=True, state__in=[DrillState.WAITING, DrillState.RUNNING]),
                name="drill_one_open_per_plan",
            ),
        ]
        indexes = [
            models.Index(fields=["branch", "-ended_at"], name="drill_by_branch"),
            models.Index(
                fields=["project"],
                name="drill_open",
                condition=Q(state__in=["planned", "waiting", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """The name that people say: D-0088."""
        return f"D-{self.pk:04d}"

    @property
    def copy_name(self) -> str:
        """The name of the copy at Neon."""
        return f"drill_{self.reference}"


class DrillSlot(models.Model):
    """One planned time of a plan. The database lets each exist once, so each runs once."""

    plan = models.ForeignKey(DrillPlan, on_delete=models.PROTECT, related_name="slots")
    due_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=choices(SlotState))
    drill = models.OneToOneField(Drill, on_delete=models.PROTECT, null=True, related_name="slot")
    sentence = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-due_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "due_at"], name="drill_slot_once"),
            one_of("state", SlotState, "drill_slot_state"),
            models.CheckConstraint(
                condition=Q(state=SlotState.TAKEN, drill__isnull=False)
                | Q(state=SlotState.MISSED, drill__isnull=True) & ~Q(sentence=""),
                name="drill_slot_shape",
            ),
        ]


class DrillParticipant(models.Model):
    """Somebody who took part, with an account or without."""

    drill = models.ForeignKey(Drill, on_delete=models.CASCADE, related_name="participants")
    person = _person(null=True)
    name = models.CharField(max_length=150)
    part = models.CharField(max_length=120, blank=True, help_text="What they did, e.g. ran the restore")
    ran_it = models.BooleanField(default=False, help_text="Led the exercise; such a person does not sign it off")

    class Meta:
        ordering = ["drill", "pk"]
        constraints = [models.UniqueConstraint(fields=["drill", "name"], name="drill_participant_once")]

    def __str__(self) -> str:
        return self.name


class DrillNote(models.Model):
    """One line of an exercise's timeline: what happened at that time. Written once; a correction is another line."""

    drill = models.ForeignKey(Drill, on_delete=models.PROTECT, related_name="notes")
    at = models.DateTimeField(help_text="When it happened")
    text = _text(null=False)
    written_by_name = models.CharField(max_length=150)
    written_at = models.DateTimeField()

    class Meta:
        ordering = ["drill", "at", "pk"]
        constraints = [models.CheckConstraint(condition=Q(at__lte=F("written_at")), name="drill_note_not_ahead")]


class DrillFinding(models.Model):
    """What a drill brought to light. Written once; a correction is another finding."""

    drill = models.ForeignKey(Drill, on_delete=models.PROTECT, related_name="findings")
    severity = models.CharField(max_length=12, choices=choices(FindingSeverity))
    text = _text(null=False)
    written_by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        ordering = ["drill", "at", "pk"]
        constraints = [one_of("severity", FindingSeverity, "drill_finding_severity")]


class CorrectiveAction(models.Model):
    """Something that must be done because of a drill, of a restore's review, or of a problem seen in the log."""

    drill = models.ForeignKey(Drill, on_delete=models.PROTECT, null=True, related_name="actions")
    restore_request = models.ForeignKey(RestoreRequest, on_delete=models.PROTECT, null=True, related_name="actions")
    record = models.ForeignKey(
        "backups.RetrospectiveRecord", on_delete=models.PROTECT, null=True, related_name="actions"
    )
    log_review_item = models.ForeignKey(
        "backups.LogReviewItem", on_delete=models.PROTECT, null=True, related_name="actions"
    )
    title = models.CharField(max_length=200)
    owner = _person("corrective_actions")
    owner_name = models.CharField(max_length=150)
    due_on = models.DateField()
    made_by_name = models.CharField(max_length=150)
    made_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    done_by_name = models.CharField(max_length=150, blank=True)
    proof = _text()

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=only_one("drill", "restore_request", "record", "log_review_item"),
                name="action_has_one_cause",
            ),
            models.CheckConstraint(
                condition=Q(done_at__isnull=True, done_by_name="") | (Q(done_at__isnull=False) & ~Q(done_by_name="")),
                name="action_done_by_somebody",
            ),
        ]
        indexes = [models.Index(fields=["due_on"], name="action_open", condition=Q(done_at__isnull=True))]

    def __str__(self) -> str:
        return self.title


class DrillAttachment(models.Model):
    """A file that belongs to a drill. Served as a download and never shown inside a page."""

    drill = models.ForeignKey(Drill, on_delete=models.PROTECT, related_name="attachments")
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=80)
    size_bytes = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=71)
    content = models.BinaryField()
    added_by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        ordering = ["drill", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["drill", "name"], name="drill_attachment_once"),
            models.CheckConstraint(condition=Q(sha256__regex=r"^sha256:[0-9a-f]{64}$"), name="drill_attachment_hash"),
            models.CheckConstraint(condition=Q(size_bytes__lte=10 * 1024 * 1024), name="drill_attachment_size"),
        ]

    def __str__(self) -> str:
        return self.name


class DrillSignOff(models.Model):
    """A manager's word on an ended drill, given by somebody who did not run it (OCR: certified by management)."""

    drill = models.OneToOneField(Drill, on_delete=models.PROTECT, related_name="sign_off")
    signed_by = _person()
    signed_by_name = models.CharField(max_length=150)
    ran_by = _person(null=True)
    text = _text(null=False)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ran_by__isnull=True) | ~Q(signed_by=F("ran_by")), name="drill_sign_off_by_another"
            )
        ]
