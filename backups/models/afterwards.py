"""What is left after a restore: checklist, review, what people decided to remove, and restores done by hand."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from backups.domain.afterwards import KnownBy, PointCode, PointState, ReviewSection
from backups.domain.restore import RestoreKind
from backups.models.choices import choices, one_of
from backups.models.ledger import FreeText
from backups.models.project import OwnedBranch, ProtectedBranch
from backups.models.restore import RestoreRequest
from backups.models.safety_copy import SafetyCopy


def _person(*, null: bool = False) -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=null, blank=null, related_name="+"
    )


def _text(*, null: bool = True) -> Any:
    return models.ForeignKey(FreeText, on_delete=models.PROTECT, null=null, blank=null, related_name="+")


def _all_or_none(*fields: str) -> Q:
    """All of the columns are filled, or none."""
    return Q(**{f"{field}__isnull": True for field in fields}) | Q(**{f"{field}__isnull": False for field in fields})


class RetrospectiveRecord(models.Model):
    """A restore that was done by hand at Neon, filed afterwards. It counts once a second person has signed it.

    Written once; only the signature, or the withdrawal of an unsigned record, is added.
    """

    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, related_name="retrospectives")
    kind = models.CharField(max_length=20, choices=choices(RestoreKind))
    finding = models.ForeignKey("backups.Finding", on_delete=models.PROTECT, null=True, related_name="retrospectives")
    # Null: somebody without an account, whose name is given.
    done_by = _person(null=True)
    done_by_name = models.CharField(max_length=150)
    done_at = models.DateTimeField()
    point_at = models.DateTimeField(null=True, help_text="The moment that was brought back, if it is known")
    operation_ids = models.JSONField(default=list)
    why = _text(null=False)
    lost = _text(null=False)
    filed_by = _person()
    filed_by_name = models.CharField(max_length=150)
    filed_at = models.DateTimeField()
    signed_by = _person(null=True)
    signed_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once
    signed_at = models.DateTimeField(null=True)
    dropped_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-filed_at", "-pk"]
        constraints = [
            one_of("kind", RestoreKind, "retrospective_kind"),
            models.CheckConstraint(
                condition=Q(signed_by__isnull=True) | ~Q(signed_by=F("filed_by")), name="retrospective_two_people"
            ),
            models.CheckConstraint(
                condition=Q(signed_by__isnull=True) | Q(done_by__isnull=True) | ~Q(signed_by=F("done_by")),
                name="retrospective_not_by_the_doer",
            ),
            models.CheckConstraint(
                condition=_all_or_none("signed_by", "signed_by_name", "signed_at"), name="retrospective_signature"
            ),
            models.CheckConstraint(
                condition=Q(dropped_at__isnull=True) | Q(signed_at__isnull=True), name="retrospective_signed_or_dropped"
            ),
            models.UniqueConstraint(
                fields=["finding"],
                condition=Q(finding__isnull=False, dropped_at__isnull=True),
                name="retrospective_one_per_finding",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """The name that people say: H-0003, for a restore by hand."""
        return f"H-{self.pk:04d}"


class Checklist(models.Model):
    """Opened in the transaction that completes a restore, or that signs the record of one done by hand."""

    request = models.OneToOneField(RestoreRequest, on_delete=models.PROTECT, null=True, related_name="checklist")
    record = models.OneToOneField(RetrospectiveRecord, on_delete=models.PROTECT, null=True, related_name="checklist")
    branch = models.ForeignKey(ProtectedBranch, on_delete=models.PROTECT, related_name="checklists")
    opened_at = models.DateTimeField()
    # Null: unknown, which is not the same as nobody.
    sessions_before = models.JSONField(null=True, help_text="Open sessions by application before the restore")
    head_before = models.CharField(max_length=200, blank=True, help_text="Newest migration before; empty: unknown")
    head_after = models.CharField(max_length=200, blank=True, help_text="Newest migration that came back")
    told_text = models.TextField(blank=True)
    seen = models.JSONField(null=True, help_text="What the newest look at the application found: counts only")
    seen_at = models.DateTimeField(null=True)
    looks = models.PositiveSmallIntegerField(default=0)
    next_look_at = models.DateTimeField(null=True, help_text="Empty: the portal looks no more")
    kept_until = models.DateTimeField(null=True, help_text="A decision is due then; nothing is deleted by itself")
    kept_owner = _person(null=True)
    kept_owner_name = models.CharField(max_length=150, blank=True)
    review_due_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(request__isnull=False, record__isnull=True) | Q(request__isnull=True, record__isnull=False),
                name="checklist_has_one_cause",
            ),
        ]
        indexes = [
            # The worker's looks, and what is still open.
            models.Index(fields=["next_look_at"], name="checklist_look", condition=Q(next_look_at__isnull=False)),
            models.Index(fields=["opened_at"], name="checklist_open", condition=Q(closed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"after {self.reference}"

    @property
    def reference(self) -> str:
        """The restore's own name: R-0142, or H-0003 for one done by hand."""
        cause = self.request or self.record
        return cause.reference if cause else ""


class ChecklistPoint(models.Model):
    """One point. What it went through is in the ledger; the row is how it stands."""

    checklist = models.ForeignKey(Checklist, on_delete=models.PROTECT, related_name="points")
    code = models.CharField(max_length=20, choices=choices(PointCode))
    subject = models.CharField(max_length=60, blank=True)
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=12, choices=choices(PointState), default=PointState.OPEN)
    known_by = models.CharField(max_length=10, choices=choices(KnownBy), blank=True)
    # Null: the portal.
    changed_by = _person(null=True)
    changed_by_name = models.CharField(max_length=150, blank=True)
    changed_at = models.DateTimeField(null=True)
    sentence = models.CharField(max_length=300, blank=True, help_text="The portal's own words")
    reason = _text()

    class Meta:
        ordering = ["checklist", "position"]
        constraints = [
            models.UniqueConstraint(fields=["checklist", "code", "subject"], name="point_once"),
            one_of("code", PointCode, "point_code"),
            one_of("state", PointState, "point_state"),
            models.CheckConstraint(
                condition=Q(state=PointState.OPEN, known_by="")
                | (~Q(state=PointState.OPEN) & ~Q(known_by="") & Q(changed_at__isnull=False)),
                name="point_settled_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(known_by=KnownBy.PERSON) | Q(changed_by__isnull=False), name="point_person_is_named"
            ),
            models.CheckConstraint(
                condition=~Q(state=PointState.NOT_NEEDED) | ~Q(sentence="") | Q(reason__isnull=False),
                name="point_not_needed_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.subject}".strip()


class Review(models.Model):
    """The review of one restore. Only the signature is ever added to the row."""

    checklist = models.OneToOneField(Checklist, on_delete=models.PROTECT, related_name="review")
    # Who asked and who ran it, kept here so that the database can refuse their signatures.
    asked_by = _person(null=True)
    ran_by = _person(null=True)
    signed_by = _person(null=True)
    signed_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once
    signed_at = models.DateTimeField(null=True)
    texts_sha256 = models.CharField(max_length=71, null=True)  # noqa: DJ001 - set once

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(signed_by__isnull=True) | Q(asked_by__isnull=True) | ~Q(signed_by=F("asked_by")),
                name="review_not_signed_by_who_asked",
            ),
            models.CheckConstraint(
                condition=Q(signed_by__isnull=True) | Q(ran_by__isnull=True) | ~Q(signed_by=F("ran_by")),
                name="review_not_signed_by_who_ran",
            ),
            models.CheckConstraint(
                condition=_all_or_none("signed_by", "signed_by_name", "signed_at", "texts_sha256"),
                name="review_signature",
            ),
        ]


class ReviewText(models.Model):
    """What one section says since `at`; the newest of a section counts. Append-only."""

    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="texts")
    section = models.CharField(max_length=20, choices=choices(ReviewSection))
    text = _text(null=False)
    written_by = _person()
    written_by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        ordering = ["review", "section", "at", "pk"]
        constraints = [one_of("section", ReviewSection, "review_section")]


class RemovalRequest(models.Model):
    """One person asks to delete what is kept; a second one confirms, and only then the worker does it.

    Of a preserved branch, or of a safety copy inside its retention. Only the answer is ever added to the row.
    """

    owned_branch = models.ForeignKey(OwnedBranch, on_delete=models.PROTECT, null=True, related_name="removals")
    safety_copy = models.ForeignKey(SafetyCopy, on_delete=models.PROTECT, null=True, related_name="removals")
    not_before = models.DateTimeField(help_text="Carried out then or later")
    reason = _text(null=False)
    asked_by = _person()
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    confirmed_by = _person(null=True)
    confirmed_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once
    confirmed_at = models.DateTimeField(null=True)
    dropped_by_name = models.CharField(max_length=150, null=True)  # noqa: DJ001 - set once
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(owned_branch__isnull=False, safety_copy__isnull=True)
                | Q(owned_branch__isnull=True, safety_copy__isnull=False),
                name="removal_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("asked_by")), name="removal_two_people"
            ),
            models.CheckConstraint(
                condition=_all_or_none("confirmed_by", "confirmed_by_name", "confirmed_at"), name="removal_answer"
            ),
            models.UniqueConstraint(
                fields=["owned_branch"],
                condition=Q(owned_branch__isnull=False, dropped_at__isnull=True),
                name="removal_one_per_branch",
            ),
            models.UniqueConstraint(
                fields=["safety_copy"],
                condition=Q(safety_copy__isnull=False, dropped_at__isnull=True),
                name="removal_one_per_copy",
            ),
        ]
