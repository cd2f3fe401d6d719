"""Restore requests, their history, packets, votes, comments and two-person resolutions."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backups.domain.restore import (
    PointKind,
    RequestState,
    RestoreKind,
    RestorePoint,
    Scenario,
    SnapshotMode,
    StartMode,
    Urgency,
    Verb,
    WritersStopped,
)
from backups.models.choices import choices, one_of
from backups.models.ledger import FreeText
from backups.models.project import ProtectedBranch


def _person(related_name: str, *, null: bool = False) -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=null, blank=null, related_name=related_name
    )


def _text(*, null: bool = True) -> Any:
    return models.ForeignKey(FreeText, on_delete=models.PROTECT, null=null, blank=null, related_name="+")


class RestoreRequest(models.Model):
    """What a person asks for. State changes only in services/restore."""

    kind = models.CharField(max_length=20, choices=choices(RestoreKind))
    state = models.CharField(max_length=20, choices=choices(RequestState), default=RequestState.DRAFT)
    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, related_name="requests")
    undo_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="undos")
    source_branch_id = models.CharField(max_length=60, help_text="Neon id of the branch whose history is used")
    point_kind = models.CharField(max_length=10, choices=choices(PointKind))
    point_at = models.DateTimeField(null=True, blank=True)
    point_lsn = models.CharField(max_length=20, blank=True)
    snapshot_id = models.CharField(max_length=60, blank=True)
    snapshot_name = models.CharField(max_length=256, blank=True)
    snapshot_mode = models.CharField(max_length=20, choices=choices(SnapshotMode), blank=True)
    point_entered_as = models.CharField(max_length=80, blank=True)
    scenario = models.CharField(max_length=30, choices=choices(Scenario))
    ticket = models.CharField(max_length=80, blank=True)
    thread_url = models.URLField(blank=True)
    urgency = models.CharField(max_length=10, choices=choices(Urgency), default=Urgency.URGENT)
    noticed_at = models.DateTimeField(null=True, blank=True)
    began_at = models.DateTimeField(null=True, blank=True)
    writers_stopped = models.CharField(
        max_length=15, choices=choices(WritersStopped), default=WritersStopped.BEFORE_START
    )
    start_mode = models.CharField(max_length=10, choices=choices(StartMode))
    reason = _text()
    requester = _person("restore_requests")
    requester_name = models.CharField(max_length=150)
    revision = models.PositiveIntegerField(default=0)
    packet = models.ForeignKey(
        "backups.DecisionPacket", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True)
    votes_until = models.DateTimeField(null=True)
    approved_at = models.DateTimeField(null=True)
    start_until = models.DateTimeField(null=True)
    start_asked_at = models.DateTimeField(null=True)
    start_asked_by = _person("+", null=True)
    start_asked_by_name = models.CharField(max_length=150, blank=True)
    discarded_minutes_confirmed = models.PositiveIntegerField(null=True)
    running_at = models.DateTimeField(null=True)
    submitted_to_neon_at = models.DateTimeField(null=True)
    connectable_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    outcome_code = models.CharField(max_length=60, blank=True)
    outcome_sentence = models.CharField(max_length=400, blank=True)
    copy_expires_at = models.DateTimeField(null=True, blank=True)
    observed_now = models.JSONField(
        null=True, blank=True, help_text="The observed facts as last read since the packet; never part of a digest"
    )
    observed_now_asked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            one_of("state", RequestState, "request_state"),
            one_of("kind", RestoreKind, "request_kind"),
            models.CheckConstraint(
                condition=Q(kind=RestoreKind.UNDO, undo_of__isnull=False)
                | (~Q(kind=RestoreKind.UNDO) & Q(undo_of__isnull=True)),
                name="request_undo_names_its_restore",
            ),
            models.CheckConstraint(
                condition=Q(point_kind=PointKind.TIMESTAMP, point_at__isnull=False, point_lsn="")
                | (Q(point_kind=PointKind.LSN, point_at__isnull=True) & ~Q(point_lsn=""))
                | Q(point_kind=PointKind.HEAD, point_at__isnull=True, point_lsn="", kind=RestoreKind.UNDO)
                | (Q(point_kind=PointKind.SNAPSHOT, point_at__isnull=False, point_lsn="") & ~Q(snapshot_id="")),
                name="request_point_shape",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind=RestoreKind.SNAPSHOT,
                    point_kind=PointKind.SNAPSHOT,
                    snapshot_mode__in=[mode.value for mode in SnapshotMode],
                )
                | (
                    ~Q(kind=RestoreKind.SNAPSHOT)
                    & ~Q(point_kind=PointKind.SNAPSHOT)
                    & Q(snapshot_id="", snapshot_name="", snapshot_mode="")
                ),
                name="request_snapshot_shape",
            ),
            models.CheckConstraint(
                condition=Q(state=RequestState.DRAFT)
                | Q(state=RequestState.WITHDRAWN)
                | Q(submitted_at__isnull=False, revision__gte=1),
                name="request_submitted_has_revision",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[RequestState.APPROVED, RequestState.RUNNING, RequestState.COMPLETED])
                | Q(packet__isnull=False, approved_at__isnull=False),
                name="request_approved_has_packet",
            ),
        ]
        indexes = [
            # The queue page and the wake loop read only what is still open.
            models.Index(
                fields=["state", "votes_until"],
                name="request_open",
                condition=Q(state__in=["preparing", "pending", "approved", "running", "needs_attention"]),
            ),
            models.Index(fields=["branch", "-created_at"], name="request_by_branch"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """The name that people say: R-0142."""
        return f"R-{self.pk:04d}"

    @property
    def point(self) -> RestorePoint:
        """The restore point as a domain value."""
        return RestorePoint(
            PointKind(self.point_kind),
            at=self.point_at,
            lsn=self.point_lsn,
            snapshot_id=self.snapshot_id,
            snapshot_name=self.snapshot_name,
        )

    @property
    def preserve_name(self) -> str:
        """The name under which Neon keeps the state just before an overwrite.

        A restore from a snapshot in one step leaves no choice: Neon itself gives the replaced branch this name.
        """
        if self.snapshot_mode == SnapshotMode.ONE_STEP:
            return f"{self.branch.name} (old)"[:256]
        return f"{self.branch.name}_before_{self.reference}"[:256]

    @property
    def copy_name(self) -> str:
        """The name of the branch that a restore to a new branch hands over."""
        return f"{self.branch.name}_copy_{self.reference}"[:256]

    @property
    def preview_name(self) -> str:
        """The name of the copy that the present revision's facts were read from."""
        return f"preview_{self.reference}_{self.revision}"


class RestoreTransition(models.Model):
    """One change of state. Append-only."""

    request = models.ForeignKey(RestoreRequest, on_delete=models.PROTECT, related_name="transitions")
    number = models.PositiveIntegerField()
    from_state = models.CharField(max_length=20)
    to_state = models.CharField(max_length=20)
    verb = models.CharField(max_length=20, choices=choices(Verb))
    actor_name = models.CharField(max_length=150)
    sentence = models.CharField(max_length=400, blank=True)
    at = models.DateTimeField()
    event_id = models.UUIDField(unique=True)

    class Meta:
        ordering = ["request", "number"]
        constraints = [
            models.UniqueConstraint(fields=["request", "number"], name="transition_order"),
            one_of("from_state", RequestState, "transition_from"),
            one_of("to_state", RequestState, "transition_to"),
        ]


class DecisionPacket(models.Model):
    """Every fact shown to the approver, frozen. `bound_text` are the exact bytes under the digest."""

    request = models.ForeignKey(RestoreRequest, on_delete=models.PROTECT, related_name="packets")
    revision = models.PositiveIntegerField()
    bound = models.JSONField()
    bound_text = models.TextField()
    digest = models.CharField(max_length=71)
    observed = models.JSONField()
    consequence = models.TextField()
    votes_needed = models.PositiveSmallIntegerField()
    built_at = models.DateTimeField()
    preparation_milliseconds = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "revision"], name="packet_revision"),
            models.UniqueConstraint(fields=["id", "digest"], name="packet_digest"),
            models.CheckConstraint(condition=Q(digest__regex=r"^sha256:[0-9a-f]{64}$"), name="packet_digest_form"),
        ]


class Vote(models.Model):
    """One person's vote on one digest. Only `taken_back_at` may ever change, once."""

    class Choice(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"
        PASS = "pass"  # noqa: S105 - a vote, not a password

    request = models.ForeignKey(RestoreRequest, on_delete=models.PROTECT, related_name="votes")
    packet = models.ForeignKey(DecisionPacket, on_delete=models.PROTECT, related_name="votes")
    digest = models.CharField(max_length=71)
    choice = models.CharField(max_length=10, choices=Choice.choices)
    voter = _person("+")
    voter_name = models.CharField(max_length=150)
    requester = _person("+")
    reason = _text()
    reason_chips = models.JSONField(default=list)
    cast_at = models.DateTimeField()
    taken_back_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["cast_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["packet", "voter"], condition=Q(taken_back_at__isnull=True), name="vote_once_per_person"
            ),
            models.CheckConstraint(condition=~Q(voter=F("requester")), name="vote_never_by_requester"),
            models.CheckConstraint(condition=Q(choice__in=["approve", "reject", "pass"]), name="vote_choice"),
        ]


class Comment(models.Model):
    """Talk on a request; never part of the digest."""

    request = models.ForeignKey(RestoreRequest, on_delete=models.PROTECT, related_name="comments")
    author = _person("+")
    author_name = models.CharField(max_length=150)
    is_question = models.BooleanField(default=False)
    text = _text(null=False)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "pk"]


class Resolution(models.Model):
    """How a request that needs a person is closed: one proposes, another confirms."""

    class Kind(models.TextChoices):
        ACCEPT = "accept"
        DISPROVE = "disprove"

    request = models.ForeignKey(RestoreRequest, on_delete=models.PROTECT, related_name="resolutions")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    proposed_by = _person("+")
    proposed_by_name = models.CharField(max_length=150)
    proposed_at = models.DateTimeField()
    reason = _text(null=False)
    confirmed_by = _person("+", null=True)
    confirmed_by_name = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("proposed_by")),
                name="resolution_two_people",
            ),
            models.UniqueConstraint(
                fields=["request"],
                condition=Q(confirmed_at__isnull=True, dropped_at__isnull=True),
                name="resolution_one_open",
            ),
        ]


class RequestOpened(models.Model):
    """When a person first opened a request's page: shown beside the approvers."""

    request = models.ForeignKey(RestoreRequest, on_delete=models.CASCADE, related_name="opened")
    person = _person("+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "person"], name="opened_once")]
