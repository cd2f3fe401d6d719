"""A subject that opens and closes again and again is told once, and then summed up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import User

from backups.domain.notification import Severity, Topic
from backups.domain.notification.topics import DAMPED
from backups.domain.people import Role
from backups.models import DampedAlert, OutboxMessage
from backups.services.notification.outbox import Notice, already_told


def damped(notice: Notice, *, link_path: str, people: Iterable[User], roles: Iterable[Role], now: dt.datetime) -> bool:
    """True when the notice is kept for the summary: its subject said the same within the damping time.

    The subject is locked. What is worse than before is never damped, nor is anything but opening and closing.
    """
    if notice.topic not in DAMPED or already_told(notice):
        return False
    waiting = DampedAlert.objects.filter(subject_key=notice.subject.key).first()
    if waiting is None:
        told_at = _told_at(notice, now)
        if told_at is None:
            return False
        waiting = _begin(notice, told_at, now)
    _note(waiting, notice, link_path, people, roles)
    return True


def _told_at(notice: Notice, now: dt.datetime) -> dt.datetime | None:
    """When the subject last said this, or was last summed up, within the damping time."""
    since = now - dt.timedelta(seconds=settings.NOTIFICATION_DAMPING_SECONDS)
    told = OutboxMessage.objects.filter(
        subject_key=notice.subject.key,
        topic__in=[notice.topic.value, Topic.FINDING_FLAPPING.value],
        created_at__gt=since,
    )
    return told.order_by("-created_at").values_list("created_at", flat=True).first()


def _begin(notice: Notice, told_at: dt.datetime, now: dt.datetime) -> DampedAlert:
    return DampedAlert(
        subject_kind=notice.subject.kind.value,
        subject_key=notice.subject.key,
        count=0,
        first_at=now,
        due_at=told_at + dt.timedelta(seconds=settings.NOTIFICATION_DAMPING_SECONDS),
    )


def _note(waiting: DampedAlert, notice: Notice, link_path: str, people: Iterable[User], roles: Iterable[Role]) -> None:
    occasion = notice.occasion[:200]
    waiting.count += (waiting.topic, waiting.occasion) != (notice.topic.value, occasion)
    waiting.subject_reference = notice.subject.reference
    waiting.project_ref = notice.subject.project
    waiting.is_sandbox = notice.subject.is_sandbox
    waiting.severity = _worse(waiting.severity, notice.severity)
    waiting.occasion = occasion
    waiting.topic, waiting.text, waiting.link_path = notice.topic.value, notice.text, link_path
    waiting.resolves = notice.resolves
    waiting.people = sorted({*waiting.people, *(person.pk for person in people)})
    waiting.roles = sorted({*waiting.roles, *(role.value for role in roles)})
    waiting.save()


def _worse(before: str, now: Severity) -> str:
    return min(now, Severity(before) if before else now, key=lambda severity: severity.rank).value
