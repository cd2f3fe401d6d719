"""Writes messages into the outbox, in the transaction of the change that they tell of."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Max, QuerySet

from backups.domain.ledger import Outcome
from backups.domain.notification import Channel, Route, Severity, Subject, Topic
from backups.domain.notification.routing import TEAM_CHANNELS
from backups.ledger.fields import Detail
from backups.models import OutboxMessage, RestoreRequest
from backups.selectors.routing import is_configured, routes_in_force
from backups.services.notification.events import record_about

_MAX_KEY_CHARACTERS = 170  # leaves room for channel and person
_SENTENCES = {"no_address": "The account has no e-mail address.", "not_configured": "Mail is not set up."}


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told. `occasion` names this once-only event of the subject: told again, it is told to nobody."""

    topic: Topic
    subject: Subject
    severity: Severity
    text: str
    link: str
    occasion: str
    resolves: bool = False
    to_team: bool = True
    request: RestoreRequest | None = None


def put_into_outbox(notice: Notice, *, people: Iterable[User], now: dt.datetime) -> int:
    """One message for each person and each team channel that has none of this occasion; how many can travel.

    Who can't be reached by mail gets a row too, given up from the start, so that pages can say so.
    """
    lock_subject(notice.subject)
    messages = [_mail(notice, person, now) for person in people]
    messages += [_message(notice, channel, now) for channel in _team_channels(notice)]
    messages = _without_known(messages)
    OutboxMessage.objects.bulk_create(messages)
    _record(notice, messages)
    return sum(message.given_up_at is None for message in messages)


def lock_subject(subject: Subject) -> None:
    """Until the transaction ends: ids of a subject's messages then follow the order of its commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 8021))", [subject.key])


def _team_channels(notice: Notice) -> list[Channel]:
    if not notice.to_team:
        return []
    routes = routes_in_force()
    wanted = [channel for channel in TEAM_CHANNELS if Route(notice.severity, channel) in routes]
    if notice.resolves:
        told = channels_told(notice.subject)
        wanted = [channel for channel in TEAM_CHANNELS if channel in told or _also_tells_the_end(channel, wanted)]
    return [channel for channel in wanted if is_configured(channel) and not _would_ring_for_nothing(channel, notice)]


def _would_ring_for_nothing(channel: Channel, notice: Notice) -> bool:
    """Nobody is woken for a sandbox; the test button tries PagerDuty out."""
    return channel is Channel.PAGERDUTY and notice.subject.is_sandbox is True


def _also_tells_the_end(channel: Channel, wanted: list[Channel]) -> bool:
    """PagerDuty can only end what it was told of."""
    return channel is not Channel.PAGERDUTY and channel in wanted


def channels_told(subject: Subject) -> set[Channel]:
    """The team channels that were told of the subject since it was last resolved."""
    told = open_messages(subject).filter(person__isnull=True)
    return {Channel(channel) for channel in told.values_list("channel", flat=True)}


def people_told(subject: Subject) -> set[int]:
    """The accounts that were told of the subject since it was last resolved."""
    told = open_messages(subject).filter(person__isnull=False)
    return {message.person_id for message in told.only("person_id") if message.person_id is not None}


def open_messages(subject: Subject) -> QuerySet[OutboxMessage]:
    """The messages of the subject since the last one that resolved it."""
    messages = OutboxMessage.objects.filter(subject_key=subject.key)
    last = messages.filter(resolves=True).aggregate(last=Max("pk"))["last"]
    return messages.filter(pk__gt=last or 0)


def _mail(notice: Notice, person: User, now: dt.datetime) -> OutboxMessage:
    message = _message(notice, Channel.MAIL, now, person)
    code = _why_no_mail(person)
    if code:
        message.next_attempt_at, message.given_up_at = None, now
        message.problem_code, message.last_problem = code, _SENTENCES[code]
    return message


def _why_no_mail(person: User) -> str:
    if not is_configured(Channel.MAIL):
        return "not_configured"
    return "" if person.email else "no_address"


def _message(notice: Notice, channel: Channel, now: dt.datetime, person: User | None = None) -> OutboxMessage:
    subject = notice.subject
    return OutboxMessage(
        channel=channel.value,
        topic=notice.topic.value,
        severity=notice.severity.value,
        resolves=notice.resolves,
        subject_kind=subject.kind.value,
        subject_reference=subject.reference,
        subject_key=subject.key,
        project_ref=subject.project,
        is_sandbox=subject.is_sandbox,
        request=notice.request,
        person=person,
        text=notice.text,
        link=notice.link,
        dedupe_key=_dedupe_key(notice, channel, person),
        created_at=now,
        next_attempt_at=now,
    )


def already_told(notice: Notice) -> bool:
    """Whether somebody was told of this very occasion."""
    return OutboxMessage.objects.filter(dedupe_key__startswith=f"{_occasion_key(notice)}|").exists()


def _dedupe_key(notice: Notice, channel: Channel, person: User | None) -> str:
    return "|".join([_occasion_key(notice), channel.value, *([str(person.pk)] if person else [])])


def _occasion_key(notice: Notice) -> str:
    key = "|".join([notice.subject.key, notice.topic.value, notice.occasion])
    return key if len(key) <= _MAX_KEY_CHARACTERS else hashlib.sha256(key.encode()).hexdigest()


def _without_known(messages: list[OutboxMessage]) -> list[OutboxMessage]:
    keys = [message.dedupe_key for message in messages]
    known = set(OutboxMessage.objects.filter(dedupe_key__in=keys).values_list("dedupe_key", flat=True))
    fresh = {message.dedupe_key: message for message in messages if message.dedupe_key not in known}
    return list(fresh.values())


def _record(notice: Notice, messages: list[OutboxMessage]) -> None:
    """One event for each channel; who of the recipients got it is said when it was sent."""
    waiting = Counter(message.channel for message in messages if message.given_up_at is None)
    for channel, count in waiting.items():
        details: dict[str, Detail] = {"channel": channel, "template": notice.topic.value, "recipients": count}
        record_about(notice.subject, notice.request, type="notification.queued", details=details)
    unreachable = [message for message in messages if message.given_up_at is not None]
    # Where mail is not set up there is nothing to say of each person.
    for message in unreachable if is_configured(Channel.MAIL) else unreachable[:1]:
        _record_unreachable(notice, message)


def _record_unreachable(notice: Notice, message: OutboxMessage) -> None:
    no_address = message.problem_code == "no_address"
    record_about(
        notice.subject,
        notice.request,
        type="notification.failed",
        outcome=Outcome.FAILURE,
        details={
            "channel": message.channel,
            "template": notice.topic.value,
            "recipient": f"user:{message.person_id}" if no_address else None,
            "attempts": 0,
            "error": message.problem_code,
        },
        reason_code="gave_up",
    )
