"""Tells in one message what a flapping subject would have said in many."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from backups.domain.notification import Severity, Subject, SubjectKind, Topic, one_line
from backups.domain.people import Role
from backups.models import DampedAlert
from backups.selectors.clock import database_now
from backups.services.notification.alert import recipients
from backups.services.notification.outbox import Notice, lock_subject, put_into_outbox


def send_summaries() -> int:
    """A duty of the worker; returns how many subjects were summed up."""
    due = DampedAlert.objects.filter(due_at__lte=database_now()).values_list("subject_key", flat=True)
    return sum(_sum_up(key) for key in due)


def _sum_up(subject_key: str) -> bool:
    with transaction.atomic():
        waiting = DampedAlert.objects.filter(subject_key=subject_key).first()
        if waiting is None:
            return False
        subject = _subject_of(waiting)
        lock_subject(subject)
        # Read again under the lock: it may have grown, or another worker may have told it.
        waiting = DampedAlert.objects.filter(pk=waiting.pk).first()
        if waiting is None:
            return False
        notice = _notice(waiting, subject)
        people = User.objects.filter(pk__in=waiting.people)
        put_into_outbox(
            notice,
            people=recipients(notice, people, [Role(role) for role in waiting.roles]),
            now=database_now(),
        )
        waiting.delete()
        return True


def _notice(waiting: DampedAlert, subject: Subject) -> Notice:
    return Notice(
        topic=Topic.FINDING_FLAPPING,
        subject=subject,
        severity=Severity(waiting.severity),
        text=one_line(f"{_count(waiting)} Now: {waiting.text}"),
        link=f"{settings.SITE_URL.rstrip('/')}{waiting.link_path}",
        occasion=waiting.due_at.isoformat(),
        resolves=waiting.resolves,
    )


def _count(waiting: DampedAlert) -> str:
    minutes = max(1, round(settings.NOTIFICATION_DAMPING_SECONDS / 60))
    times = "once" if waiting.count == 1 else f"{waiting.count} times"
    return f"It changed {times} more within {minutes} min."


def _subject_of(waiting: DampedAlert) -> Subject:
    kind = SubjectKind(waiting.subject_kind)
    return Subject(
        kind=kind,
        reference=waiting.subject_reference,
        identity=waiting.subject_key.removeprefix(f"{kind.value}:"),
        project=waiting.project_ref,
        is_sandbox=waiting.is_sandbox,
    )
