"""Who is told of what a restore left to do. Counts, names of ours and times; nothing that was written freely."""

from __future__ import annotations

from django.contrib.auth.models import User

from backups.domain.monitor import Severity
from backups.domain.notification import Subject, SubjectKind, Topic
from backups.domain.people import Role
from backups.models import Checklist, RemovalRequest, RetrospectiveRecord
from backups.services.notification.alert import alert

_WORKERS = (Role.ENGINEER, Role.MANAGER)


def tell_record_filed(record: RetrospectiveRecord, *, occasion: str = "filed") -> int:
    """A second person is wanted for the record of a restore by hand."""
    return alert(
        topic=Topic.RETROSPECTIVE_SIGNATURE_WANTED,
        subject=_subject(SubjectKind.RETROSPECTIVE, record.reference, record.branch.project),
        severity=Severity.WARNING,
        text=f"{record.reference}: a restore of {record.branch.name} was done outside the portal and is on record. "
        "A manager must sign it.",
        link_path=f"/retrospectives/{record.pk}/",
        roles=[Role.MANAGER],
        occasion=occasion,
    )


def tell_removal_asked(removal: RemovalRequest) -> int:
    """A second person is wanted before something kept is deleted."""
    kept = removal.owned_branch or removal.safety_copy
    project = removal.owned_branch.project if removal.owned_branch else None
    is_copy = removal.safety_copy is not None
    if removal.safety_copy is not None:
        project = removal.safety_copy.branch.project
    topic = Topic.SAFETY_COPY_SECOND_PERSON_WANTED if is_copy else Topic.PRESERVED_SECOND_PERSON_WANTED
    return alert(
        topic=topic,
        subject=_subject(SubjectKind.SAFETY_COPY, f"removal-{removal.pk}", project),
        severity=Severity.NOTICE,
        text=f"{removal.asked_by_name} asks to delete {kept.name if kept else 'a copy'}. A second person must confirm.",
        link_path=f"/removals/{removal.pk}/",
        roles=_WORKERS,
        occasion="asked",
    )


def tell_points_open(checklist: Checklist, *, left: int, occasion: str) -> int:
    """Once a day: what is still open."""
    return alert(
        topic=Topic.CHECKLIST_DUE,
        subject=_subject(SubjectKind.CHECKLIST, checklist.reference, checklist.branch.project),
        severity=Severity.NOTICE,
        text=f"{checklist.reference}: {left} points are open since the restore of {checklist.branch.name}.",
        link_path=_link(checklist),
        people=_owners(checklist),
        roles=_WORKERS,
        occasion=occasion,
    )


def tell_keep_due(checklist: Checklist, *, occasion: str) -> int:
    """Once a day, beyond the agreed day: the state before is still kept."""
    return alert(
        topic=Topic.CHECKLIST_OVERDUE,
        subject=_subject(SubjectKind.CHECKLIST, checklist.reference, checklist.branch.project),
        severity=Severity.WARNING,
        text=f"{checklist.reference}: the state before the restore is kept beyond its day. "
        "Decide: keep it longer, or ask for its removal.",
        link_path=_link(checklist),
        people=_owners(checklist),
        roles=_WORKERS,
        occasion=occasion,
    )


def tell_review(checklist: Checklist, *, is_overdue: bool, occasion: str) -> int:
    """Once a day from the day before it is due."""
    due = f"{checklist.review_due_at:%Y-%m-%d %H:%M} UTC"
    return alert(
        topic=Topic.REVIEW_OVERDUE if is_overdue else Topic.REVIEW_DUE,
        subject=_subject(SubjectKind.REVIEW, checklist.reference, checklist.branch.project),
        severity=Severity.WARNING if is_overdue else Severity.NOTICE,
        text=f"{checklist.reference}: its review {'was' if is_overdue else 'is'} due {due} and is not signed.",
        link_path=f"{_link(checklist)}review/",
        people=_owners(checklist),
        roles=[Role.MANAGER],
        occasion=occasion,
    )


def _subject(kind: SubjectKind, reference: str, project: object) -> Subject:
    return Subject(
        kind=kind,
        reference=reference,
        project=getattr(project, "neon_project_id", ""),
        is_sandbox=getattr(project, "is_sandbox", None),
    )


def _owners(checklist: Checklist) -> list[User]:
    """Who asked for the restore or put it on record, and who answers for what is kept."""
    people = [checklist.kept_owner, checklist.request.requester if checklist.request else None]
    people += [checklist.record.filed_by] if checklist.record else []
    return [person for person in people if person is not None]


def _link(checklist: Checklist) -> str:
    return f"/afterwards/{checklist.pk}/"
