"""What pages, services and the monitor need to know of what restores left to do."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from backups.domain.afterwards import ApplicationSeen, PointState, ReviewSection
from backups.domain.execution import Purpose
from backups.domain.restore import OPEN, RequestState, RestoreKind
from backups.models import (
    Checklist,
    ChecklistPoint,
    CorrectiveAction,
    ExecutionStep,
    OwnedBranch,
    Project,
    RemovalRequest,
    RestoreRequest,
    RetrospectiveRecord,
    Review,
    ReviewText,
)

_RELATED = ("request__branch__project", "record__branch__project", "branch__project")


def open_checklists(project: Project | None = None) -> QuerySet[Checklist]:
    """Restores with something left to do, oldest first."""
    found = Checklist.objects.filter(closed_at__isnull=True).select_related("review", *_RELATED)
    return (found if project is None else found.filter(branch__project=project)).order_by("opened_at")


def open_points(project: Project | None = None) -> QuerySet[ChecklistPoint]:
    """Every point that is still open."""
    found = ChecklistPoint.objects.filter(state=PointState.OPEN)
    found = found if project is None else found.filter(checklist__branch__project=project)
    return found.select_related(*(f"checklist__{name}" for name in _RELATED)).order_by(
        "checklist__opened_at", "position"
    )


def overdue_reviews(now: dt.datetime, project: Project | None = None) -> QuerySet[Review]:
    """Reviews that are due and not signed, the oldest first."""
    found = Review.objects.filter(signed_at__isnull=True, checklist__review_due_at__lte=now)
    found = found if project is None else found.filter(checklist__branch__project=project)
    return found.select_related(*(f"checklist__{name}" for name in _RELATED)).order_by("checklist__review_due_at")


def unreviewed(project: Project | None = None) -> QuerySet[Checklist]:
    """Restores that are to be reviewed and are not, due or not."""
    found = Checklist.objects.filter(review_due_at__isnull=False, review__signed_at__isnull=True)
    found = found if project is None else found.filter(branch__project=project)
    return found.select_related(*_RELATED).order_by("review_due_at")


def keep_decisions_due(now: dt.datetime, project: Project | None = None) -> QuerySet[Checklist]:
    """States before a restore that are kept beyond the agreed day, although nobody asked for their removal."""
    found = Checklist.objects.filter(kept_until__lte=now, request__isnull=False)
    found = found if project is None else found.filter(branch__project=project)
    kept = OwnedBranch.objects.filter(purpose="preserved", fate__in=["intended", "present"])
    kept = kept.exclude(removals__confirmed_at__isnull=False)
    return found.filter(request__owned_branches__in=kept).select_related(*_RELATED).order_by("kept_until").distinct()


def unsigned_records(project: Project | None = None) -> QuerySet[RetrospectiveRecord]:
    """Records of restores by hand that wait for the second person."""
    found = RetrospectiveRecord.objects.filter(signed_at__isnull=True, dropped_at__isnull=True)
    found = found if project is None else found.filter(branch__project=project)
    return found.select_related("branch__project").order_by("filed_at")


def actions_of(checklist: Checklist) -> QuerySet[CorrectiveAction]:
    """What the review gave people to do."""
    if checklist.request_id is not None:
        return CorrectiveAction.objects.filter(restore_request=checklist.request_id).select_related("owner")
    return CorrectiveAction.objects.filter(record=checklist.record_id).select_related("owner")


def newest_texts(review: Review) -> dict[ReviewSection, ReviewText]:
    """The newest words of each section."""
    texts = ReviewText.objects.filter(review=review).select_related("text__event").order_by("at", "pk")
    return {ReviewSection(text.section): text for text in texts}


def seen_of(checklist: Checklist) -> ApplicationSeen | None:
    """What the newest look found; None: nobody looked yet."""
    if checklist.seen is None:
        return None
    return ApplicationSeen(
        checklist.seen.get("sessions"),
        health_asked=bool(checklist.seen.get("health_asked")),
        health_status=checklist.seen.get("health_status"),
    )


def open_removals(project: Project | None = None) -> QuerySet[RemovalRequest]:
    """Wishes to delete what is kept that wait for a second person."""
    found = RemovalRequest.objects.filter(confirmed_at__isnull=True, dropped_at__isnull=True)
    if project is not None:
        found = found.filter(Q(owned_branch__project=project) | Q(safety_copy__branch__project=project))
    return found.select_related("owned_branch__project", "safety_copy__branch__project").order_by("asked_at")


def last_removal_try(removal: RemovalRequest) -> ExecutionStep | None:
    """The newest step of the worker's newest try to delete it; None: it was not tried yet."""
    tries = ExecutionStep.objects.filter(execution__purpose__in=[Purpose.DISPOSE, Purpose.PRUNE])
    if removal.owned_branch_id is not None:
        tries = tries.filter(execution__owned_branch=removal.owned_branch_id)
    else:
        copy = removal.safety_copy_id
        tries = tries.filter(Q(execution__safety_copy=copy) | Q(execution__owned_branch__safety_copy=copy))
    return tries.order_by("-execution_id", "-ended_at", "-pk").first()


def undo_that_needs(owned: OwnedBranch) -> RestoreRequest | None:
    """An undo, not closed yet, that would bring the preserved state back."""
    if owned.request_id is None:
        return None
    states = [state.value for state in OPEN | {RequestState.RUNNING}]
    return RestoreRequest.objects.filter(kind=RestoreKind.UNDO, undo_of=owned.request_id, state__in=states).first()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a checklist is."""

    settled: int
    of: int


def progress_of_checklist(checklist: Checklist) -> Progress:
    """Settled points and all points."""
    states = list(checklist.points.values_list("state", flat=True))
    return Progress(sum(state != PointState.OPEN for state in states), len(states))


def kept_state(checklist: Checklist) -> OwnedBranch | None:
    """The branch that keeps the state before the restore, as long as it is not known to be gone."""
    if checklist.request_id is None:
        return None
    kept = OwnedBranch.objects.filter(
        request=checklist.request_id, purpose="preserved", fate__in=["intended", "present"]
    )
    return kept.order_by("-pk").first()
