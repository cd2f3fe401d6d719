"""Writes messages into the outbox, in the transaction of the change that they tell of."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import User

from backups.domain.ledger import Outcome
from backups.domain.notification import ASKS_FOR_VOTES, Topic, message_text
from backups.domain.restore import RestoreKind
from backups.models import Channel, Comment, OutboxMessage, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.restore import eligible_voters
from backups.services.notification.channels import is_configured
from backups.services.notification.events import record_about

#: These go to whoever can vote as well as to the people who took part: something is asked of them, or no longer.
_FOR_VOTERS = ASKS_FOR_VOTES | {
    Topic.DRIFTED,
    Topic.QUESTION,
    Topic.APPROVED,
    Topic.REJECTED,
    Topic.WITHDRAWN,
    Topic.EXPIRED,
    Topic.NEEDS_ATTENTION,
    Topic.SECOND_PERSON_WANTED,
}
_NO_ADDRESS = "The account has no e-mail address."
_NO_MAIL = "Mail is not set up."


def tell(*, topic: Topic, request: RestoreRequest) -> int:
    """Queues one message for each person concerned and one for each team channel; returns how many can travel.

    A dead channel never delays a request: delivery happens later, in the worker. Who can't be reached by mail gets
    a row too, given up from the start, so that the page can say so.
    """
    now = database_now()
    occasion = f"{request.reference}:{request.revision}:{topic.value}:{now.timestamp():.6f}"
    return put_into_outbox(people=audience(topic, request), topic=topic, request=request, occasion=occasion, now=now)


def put_into_outbox(
    *, people: Iterable[User], topic: Topic, request: RestoreRequest, occasion: str, now: dt.datetime
) -> int:
    """Messages of one occasion, whose name makes them unique: a second call with the same name raises
    IntegrityError."""
    messages = [_mail(person, topic, request, occasion, now) for person in people]
    messages += [_team(channel, topic, request, occasion, now) for channel in _team_channels()]
    text = text_about(topic, request)
    for message in messages:
        message.text = text
        message.link = link_to(request)
    OutboxMessage.objects.bulk_create(messages)
    _record(topic, request, messages)
    return sum(message.given_up_at is None for message in messages)


def text_about(topic: Topic, request: RestoreRequest) -> str:
    """The message's sentence. Of the request it uses names, kind and point, and nothing that was written freely."""
    return message_text(
        topic,
        reference=request.reference,
        branch=f"{request.branch.project.name} {request.branch.name}",
        environment=request.branch.environment.value,
        kind=RestoreKind(request.kind),
        point=str(request.point),
        person=request.requester_name,
        urgency=request.urgency,
    )


def link_to(request: RestoreRequest) -> str:
    """The address of the request's page; opening it never votes."""
    return f"{settings.SITE_URL.rstrip('/')}/restores/{request.pk}/"


def audience(topic: Topic, request: RestoreRequest) -> list[User]:
    """The people concerned. Only those who can vote are asked for a vote, the requester never."""
    voters = eligible_voters(request)
    if topic in ASKS_FOR_VOTES:
        return list(voters)
    ids = _who_took_part(request)
    if topic in _FOR_VOTERS:
        ids |= set(voters.values_list("pk", flat=True))
    return list(User.objects.filter(pk__in=ids, is_active=True).order_by("pk"))


def _who_took_part(request: RestoreRequest) -> set[int]:
    ids = {request.requester_id, *request.votes.values_list("voter_id", flat=True)}
    ids |= set(Comment.objects.filter(request=request).values_list("author_id", flat=True))
    return ids if request.start_asked_by_id is None else ids | {request.start_asked_by_id}


def _team_channels() -> list[Channel]:
    return [channel for channel in (Channel.SLACK, Channel.WEBHOOK) if is_configured(channel)]


def _mail(person: User, topic: Topic, request: RestoreRequest, occasion: str, now: dt.datetime) -> OutboxMessage:
    message = OutboxMessage(
        channel=Channel.MAIL.value,
        topic=topic.value,
        request=request,
        person=person,
        dedupe_key=f"{occasion}:mail:{person.pk}",
        next_attempt_at=now,
    )
    problem = _why_no_mail(person)
    if problem:
        message.next_attempt_at, message.given_up_at, message.last_problem = None, now, problem
    return message


def _why_no_mail(person: User) -> str:
    if not is_configured(Channel.MAIL):
        return _NO_MAIL
    return "" if person.email else _NO_ADDRESS


def _team(channel: Channel, topic: Topic, request: RestoreRequest, occasion: str, now: dt.datetime) -> OutboxMessage:
    return OutboxMessage(
        channel=channel.value,
        topic=topic.value,
        request=request,
        dedupe_key=f"{occasion}:{channel.value}",
        next_attempt_at=now,
    )


def _record(topic: Topic, request: RestoreRequest, messages: list[OutboxMessage]) -> None:
    """One event for each channel; who of the recipients got it is said when it was sent."""
    waiting = Counter(message.channel for message in messages if message.given_up_at is None)
    for channel, count in waiting.items():
        record_about(
            request,
            type="notification.queued",
            details={"channel": channel, "template": topic.value, "recipients": count},
        )
    unreachable = [message for message in messages if message.given_up_at is not None]
    for message in unreachable[:1] if not is_configured(Channel.MAIL) else unreachable:
        _record_unreachable(topic, request, message)


def _record_unreachable(topic: Topic, request: RestoreRequest, message: OutboxMessage) -> None:
    """Where mail is not set up there is nothing to say of each person."""
    no_address = message.last_problem == _NO_ADDRESS
    record_about(
        request,
        type="notification.failed",
        outcome=Outcome.FAILURE,
        details={
            "channel": message.channel,
            "template": topic.value,
            "recipient": f"user:{message.person_id}" if no_address else None,
            "attempts": 0,
            "error": "no_address" if no_address else "not_configured",
        },
        reason_code="gave_up",
    )
