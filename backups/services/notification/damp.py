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

_SAME = {topic: {topic.value, Topic.FINDING_FLAPPING.value} for topic in DAMPED}


def damped(notice: Notice, *, link_path: str, people: Iterable[User], roles: Iterable[Role], now: dt.datetime) -> bool:
    """True when the notice is kept for the summary: its subject said the same within the damping time.

    The subject is locked. What is worse than all that was told is never damped, nor is anything but opening and
    closing.
    """
    if notice.topic not in DAMPED or already_told(notice):
        return False
    waiting = DampedAlert.objects.filter(subject_key=notice.subject.key).first()
    told = _told(notice, now)
    if _is_news(notice, told):
        # Told now, so what was kept before would only repeat the past.
        DampedAlert.objects.filter(subject_key=notice.subject.key).delete()
        return False
    if waiting is None:
        said = [message.created_at for message in told if message.topic in _SAME[notice.topic]]
        if not said:
            return False
        waiting = _begin(notice, max(said), now)
    _note(waiting, notice, link_path, people, roles)
    return True


def _told(notice: Notice, now: dt.datetime) -> list[OutboxMessage]:
    """What the subject said within the damping time."""
    since = now - dt.timedelta(seconds=settings.NOTIFICATION_DAMPING_SECONDS)
    messages = OutboxMessage.objects.filter(subject_key=notice.subject.key, created_at__gt=since)
    return list(messages.only("topic", "severity", "created_at"))


def _is_news(notice: Notice, told: list[OutboxMessage]) -> bool:
    """Nothing that was told of it lately was as bad, so people don't know yet."""
    worst = min((Severity(message.severity).rank for message in told), default=None)
    return not notice.resolves and worst is not None and notice.severity.rank < worst


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
    waiting.severity = notice.severity.value
    waiting.occasion = occasion
    waiting.topic, waiting.text, waiting.link_path = notice.topic.value, notice.text, link_path
    waiting.resolves = notice.resolves
    waiting.people = sorted({*waiting.people, *(person.pk for person in people)})
    waiting.roles = sorted({*waiting.roles, *(role.value for role in roles)})
    waiting.save()
