"""Writes messages into the outbox, in the transaction of the change that they tell of."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import User

from backups.domain.notification import Topic, message_text
from backups.domain.restore import RestoreKind
from backups.models import Channel, Comment, OutboxMessage, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.restore import eligible_voters

#: These go to whoever can vote as well as to the people who took part.
_FOR_VOTERS = frozenset(
    {Topic.VOTES_WANTED, Topic.DRIFTED, Topic.QUESTION, Topic.NEEDS_ATTENTION, Topic.SECOND_PERSON_WANTED}
)


def tell(*, topic: Topic, request: RestoreRequest) -> int:
    """Queues one message for each person concerned and one for each team channel; returns how many.

    A dead channel never delays a request: delivery happens later, in the worker.
    """
    now = database_now()
    text = message_text(
        topic,
        reference=request.reference,
        branch=f"{request.branch.project.name} {request.branch.name}",
        environment=request.branch.environment.value,
        kind=RestoreKind(request.kind),
        point=str(request.point),
        person=request.requester_name,
        outcome=request.outcome_sentence,
        urgency=request.urgency,
    )
    occasion = f"{request.reference}:{request.revision}:{topic.value}:{now.timestamp():.6f}"
    messages = [_mail(person, text, topic, request, occasion) for person in _audience(topic, request)]
    messages += [_team(channel, text, topic, request, occasion) for channel in _team_channels()]
    for message in messages:
        message.next_attempt_at = now
    OutboxMessage.objects.bulk_create(messages)
    return len(messages)


def _audience(topic: Topic, request: RestoreRequest) -> list[User]:
    ids = {request.requester_id, *request.votes.values_list("voter_id", flat=True)}
    if request.start_asked_by_id is not None:
        ids.add(request.start_asked_by_id)
    if topic in _FOR_VOTERS:
        ids |= set(eligible_voters(request).values_list("pk", flat=True))
    if topic in {Topic.QUESTION, Topic.COMMENT}:
        ids |= set(Comment.objects.filter(request=request).values_list("author_id", flat=True))
    return list(User.objects.filter(pk__in=ids, is_active=True).exclude(email=""))


def _team_channels() -> Iterable[Channel]:
    if settings.SLACK_WEBHOOK_URL:
        yield Channel.SLACK
    if settings.WEBHOOK_URL:
        yield Channel.WEBHOOK


def _mail(person: User, text: str, topic: Topic, request: RestoreRequest, occasion: str) -> OutboxMessage:
    return OutboxMessage(
        channel=Channel.MAIL.value,
        topic=topic.value,
        request=request,
        person=person,
        text=text,
        link=link_to(request),
        dedupe_key=f"{occasion}:mail:{person.pk}",
    )


def _team(channel: Channel, text: str, topic: Topic, request: RestoreRequest, occasion: str) -> OutboxMessage:
    return OutboxMessage(
        channel=channel.value,
        topic=topic.value,
        request=request,
        text=text,
        link=link_to(request),
        dedupe_key=f"{occasion}:{channel.value}",
    )


def link_to(request: RestoreRequest) -> str:
    """The address of the request's page; opening it never votes."""
    return f"{settings.SITE_URL.rstrip('/')}/restores/{request.pk}/"
