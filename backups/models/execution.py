"""The worker's runs: claims, steps, intents and check results."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from backups.domain.execution import (
    BLOCKING,
    CLAIMABLE,
    ONCE_PER_RUN,
    UNSETTLED_OR_APPLIED,
    CheckOutcome,
    ExecutionState,
    IntentKind,
    IntentOutcome,
    Purpose,
    Step,
)
from backups.models.choices import choices, one_of
from backups.models.drill import Drill
from backups.models.look import Look
from backups.models.monitor import PlanProposal
from backups.models.project import OwnedBranch, Project, ProtectedBranch
from backups.models.restore import RestoreRequest
from backups.models.safety_copy import SafetyCopy


class Execution(models.Model):
    """One run. `fence` rises with every claim; only its holder may write the result."""

    purpose = models.CharField(max_length=20, choices=choices(Purpose))
    state = models.CharField(max_length=20, choices=choices(ExecutionState), default=ExecutionState.ACTIVE)
    step = models.CharField(max_length=20, choices=choices(Step))
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="executions")
    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, null=True, related_name="executions")
    request = models.ForeignKey(RestoreRequest, on_delete=models.PROTECT, null=True, related_name="executions")
    revision = models.PositiveIntegerField(default=0, help_text="The request's revision that this run serves")
    look = models.ForeignKey(Look, on_delete=models.PROTECT, null=True, related_name="executions")
    drill = models.ForeignKey(Drill, on_delete=models.PROTECT, null=True, related_name="executions")
    safety_copy = models.ForeignKey(SafetyCopy, on_delete=models.PROTECT, null=True, related_name="executions")
    owned_branch = models.ForeignKey(OwnedBranch, on_delete=models.PROTECT, null=True, related_name="executions")
    plan_proposal = models.ForeignKey(PlanProposal, on_delete=models.PROTECT, null=True, related_name="executions")
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0, help_text="Claims abandoned since the last progress")
    next_attempt_at = models.DateTimeField(null=True)
    enqueued_at = models.DateTimeField(null=True, help_text="A task waits since then; a lost one is replaced")
    deadline_at = models.DateTimeField(null=True)
    waiting_for = models.CharField(max_length=200, blank=True)
    waiting_since = models.DateTimeField(null=True)
    review_round = models.PositiveIntegerField(default=0, help_text="How often a person asked to verify again")
    memory = models.JSONField(default=dict, help_text="Cursors between steps: ids and times, never secrets or rows")
    stop_asked_by_name = models.CharField(max_length=150, blank=True)
    seal_waived_by_name = models.CharField(
        max_length=150, blank=True, help_text="Who let it go on although its approvals were not sealed"
    )
    outcome_code = models.CharField(max_length=60, blank=True, help_text="How the run ended, in one word")
    halt_code = models.CharField(max_length=60, blank=True)
    halt_sentence = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            one_of("purpose", Purpose, "execution_purpose"),
            one_of("state", ExecutionState, "execution_state"),
            one_of("step", Step, "execution_step"),
            models.UniqueConstraint(
                fields=["branch"],
                condition=Q(purpose=Purpose.RESTORE, state__in=[s.value for s in sorted(BLOCKING)]),
                name="execution_one_restore_per_branch",
            ),
            models.UniqueConstraint(
                fields=["request"],
                condition=Q(purpose=Purpose.RESTORE, state__in=[s.value for s in sorted(BLOCKING)]),
                name="execution_one_restore_per_request",
            ),
            models.UniqueConstraint(
                fields=["request", "revision"],
                condition=Q(purpose=Purpose.PREPARE),
                name="execution_one_preparation_per_revision",
            ),
            models.UniqueConstraint(
                fields=["owned_branch"],
                condition=Q(purpose=Purpose.DISPOSE, state=ExecutionState.ACTIVE),
                name="execution_one_disposal",
            ),
            models.UniqueConstraint(
                fields=["drill"], condition=Q(purpose=Purpose.DRILL), name="execution_one_per_drill"
            ),
            models.UniqueConstraint(
                fields=["safety_copy"], condition=Q(purpose=Purpose.SAFETY_COPY), name="execution_one_per_safety_copy"
            ),
            models.UniqueConstraint(
                fields=["safety_copy"],
                condition=Q(purpose=Purpose.PRUNE, state=ExecutionState.ACTIVE),
                name="execution_one_prune",
            ),
            models.CheckConstraint(
                condition=~Q(purpose__in=[Purpose.SAFETY_COPY, Purpose.PRUNE])
                | Q(safety_copy__isnull=False, branch__isnull=False),
                name="execution_safety_has_copy",
            ),
            models.CheckConstraint(
                condition=~Q(purpose=Purpose.DRILL) | Q(drill__isnull=False, branch__isnull=False),
                name="execution_drill_has_drill",
            ),
            models.CheckConstraint(
                condition=~Q(purpose__in=[Purpose.RESTORE, Purpose.PREPARE])
                | Q(request__isnull=False, branch__isnull=False),
                name="execution_restore_has_request",
            ),
            models.UniqueConstraint(fields=["plan_proposal"], name="execution_one_per_plan_proposal"),
            models.CheckConstraint(
                condition=~Q(purpose=Purpose.BACKUP_PLAN) | Q(plan_proposal__isnull=False, branch__isnull=False),
                name="execution_plan_has_proposal",
            ),
        ]
        indexes = [
            # The wake loop: due runs and expired leases.
            models.Index(
                fields=["next_attempt_at", "lease_until"],
                name="execution_due",
                condition=Q(state__in=[s.value for s in sorted(CLAIMABLE)]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.pk}"


class ExecutionStep(models.Model):
    """One pass of one step under one claim."""

    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="steps")
    step = models.CharField(max_length=20, choices=choices(Step))
    fence = models.BigIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    result = models.CharField(max_length=20)
    sentence = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering = ["started_at", "pk"]


class Intent(models.Model):
    """A call that changes something at Neon, committed before it is sent."""

    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="intents")
    kind = models.CharField(max_length=20, choices=choices(IntentKind))
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=256, help_text="The branch name by which the effect is looked up")
    target_branch_id = models.CharField(max_length=60, blank=True)
    facts = models.JSONField(default=dict, help_text="What was sent and what was seen before; no secrets")
    fence = models.BigIntegerField()
    http_request_id = models.UUIDField(unique=True)
    outcome = models.CharField(max_length=20, choices=choices(IntentOutcome), default=IntentOutcome.PENDING)
    operation_ids = models.JSONField(default=list)
    look_ups = models.PositiveIntegerField(default=0, help_text="How often Neon was asked what became of it")
    sentence = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()
    call_deadline_at = models.DateTimeField(help_text="After this the call can't still be sent by its worker")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["execution", "number"]
        constraints = [
            one_of("kind", IntentKind, "intent_kind"),
            one_of("outcome", IntentOutcome, "intent_outcome"),
            models.UniqueConstraint(fields=["execution", "number"], name="intent_order"),
            models.UniqueConstraint(
                fields=["execution", "kind"],
                condition=Q(
                    outcome__in=[o.value for o in sorted(UNSETTLED_OR_APPLIED)],
                    kind__in=[k.value for k in sorted(ONCE_PER_RUN)],
                ),
                name="intent_one_effect",
            ),
            models.UniqueConstraint(
                fields=["execution", "kind", "name"],
                condition=Q(outcome__in=[o.value for o in sorted(UNSETTLED_OR_APPLIED)]),
                name="intent_one_effect_per_name",
            ),
        ]


class CheckResult(models.Model):
    """One verification of one table or rule. Figures are counts and hashes, never rows."""

    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="checks")
    review_round = models.PositiveIntegerField(default=0)
    database = models.CharField(max_length=63, blank=True)
    before_effect = models.BooleanField(default=False, help_text="On the copy, before it took the branch's place")
    code = models.CharField(max_length=60)
    subject = models.CharField(max_length=200, blank=True)
    title = models.CharField(max_length=200)
    is_required = models.BooleanField()
    # Null: the check has not ended, which no word for an outcome says.
    outcome = models.CharField(max_length=20, choices=choices(CheckOutcome), null=True)  # noqa: DJ001
    sentence = models.CharField(max_length=400, blank=True)
    figures = models.JSONField(default=dict)
    cursor = models.JSONField(null=True)
    position = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["execution", "review_round", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["execution", "review_round", "before_effect", "database", "code", "subject"], name="check_once"
            ),
            models.CheckConstraint(
                condition=Q(outcome__isnull=True) | Q(outcome__in=[o.value for o in CheckOutcome]), name="check_outcome"
            ),
        ]
