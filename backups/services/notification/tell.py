"""Tells people of a restore request, in the transaction of the change."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from django.conf import settings
from django.contrib.auth.models import User

from backups.domain.notification import ASKS_FOR_VOTES, Subject, SubjectKind, Topic, message_text
from backups.domain.notification.topics import (
    ASKS_FOR_THE_START,
    ENDS_THE_CALL,
    WHILE_VOTES_ARE_OPEN,
    severity_of_request_topic,
)
from backups.domain.restore import RequestState, RestoreKind
from backups.models import Comment, OutboxMessage, RestoreRequest, Vote
from backups.selectors.clock import database_now
from backups.selectors.restore import eligible_voters
from backups.services.notification.outbox import Notice, put_into_outbox

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

_DECIDES = frozenset({Topic.APPROVED, Topic.REJECTED, Topic.WITHDRAWN, Topic.EXPIRED})


def tell(*, topic: Topic, request: RestoreRequest) -> int:
    """Queues one message for each person concerned and one for each team channel; returns how many can travel.

    Whoever was asked for a vote and has not given one learns of a decision as "not needed any more".
    A dead channel never delays a request: delivery happens later, in the worker. Who can't be reached by mail gets
    a row too, given up from the start, so that the page can say so.
    """
    now = database_now()
    occasion = f"{request.revision}:{now.timestamp():.6f}"
    people = audience(topic, request)
    relieved = _still_asked(request) if topic in _DECIDES else set()
    notice = notice_of(topic, request, occasion=occasion)
    travelling = put_into_outbox(notice, people=[one for one in people if one.pk not in relieved], now=now)
    _settle_what_asked(request, now)
    if not relieved:
        return travelling
    no_longer = replace(notice_of(Topic.VOTE_NOT_NEEDED, request, occasion=occasion), to_team=False)
    return travelling + put_into_outbox(no_longer, people=User.objects.filter(pk__in=relieved, is_active=True), now=now)


def _still_asked(request: RestoreRequest) -> set[int]:
    """Who was asked for a vote, has not been told since that none is needed, and took no part."""
    topics = [*ASKS_FOR_VOTES, Topic.VOTE_NOT_NEEDED]
    messages = OutboxMessage.objects.filter(request=request, topic__in=topics, person__isnull=False).order_by("pk")
    newest = dict(messages.values_list("person_id", "topic"))
    return {pk for pk, topic in newest.items() if topic in ASKS_FOR_VOTES} - who_took_part(request)


def _settle_what_asked(request: RestoreRequest, now: dt.datetime) -> None:
    """What still waits to ask for something would hold up the news; the worker drops it when its turn comes: now."""
    outdated = [topic.value for topic in Topic if asks_in_vain(topic, request)]
    OutboxMessage.objects.filter(
        request=request, topic__in=outdated, next_attempt_at__gt=now, lease_until__isnull=True
    ).update(next_attempt_at=now)


def asks_in_vain(topic: str, request: RestoreRequest) -> bool:
    """Whether the topic asks for a vote or a start that can't be given any more."""
    if topic in WHILE_VOTES_ARE_OPEN:
        return request.state != RequestState.PENDING
    if topic in ASKS_FOR_THE_START:
        return request.state != RequestState.APPROVED or request.start_asked_at is not None
    return False


def notice_of(topic: Topic, request: RestoreRequest, *, occasion: str, minutes_left: int | None = None) -> Notice:
    """What is told of the request. Of it the text uses names, kind and point, and nothing that was written freely."""
    return Notice(
        topic=topic,
        subject=subject_of(request),
        severity=severity_of_request_topic(topic, request.urgency),
        text=text_about(topic, request, minutes_left=minutes_left),
        link=link_to(request),
        occasion=occasion,
        resolves=topic in ENDS_THE_CALL,
        request=request,
    )


def subject_of(request: RestoreRequest) -> Subject:
    """The request as the subject of messages."""
    project = request.branch.project
    return Subject(
        kind=SubjectKind.REQUEST,
        reference=request.reference,
        project=project.neon_project_id,
        is_sandbox=project.is_sandbox,
    )


def text_about(topic: Topic, request: RestoreRequest, *, minutes_left: int | None = None) -> str:
    """The message's sentence."""
    return message_text(
        topic,
        reference=request.reference,
        branch=f"{request.branch.project.name} {request.branch.name}",
        environment=request.branch.environment.value,
        kind=RestoreKind(request.kind),
        point=str(request.point),
        person=request.requester_name,
        urgency=request.urgency,
        minutes_left=minutes_left,
    )


def link_to(request: RestoreRequest) -> str:
    """The address of the request's page; opening it never votes."""
    return f"{settings.SITE_URL.rstrip('/')}/restores/{request.pk}/"


def audience(topic: Topic, request: RestoreRequest) -> list[User]:
    """The people concerned. Only those who can vote are asked for a vote, the requester never."""
    voters = eligible_voters(request)
    if topic in ASKS_FOR_VOTES:
        return list(voters)
    ids = who_took_part(request)
    if topic in _FOR_VOTERS:
        ids |= set(voters.values_list("pk", flat=True))
    return list(User.objects.filter(pk__in=ids, is_active=True).order_by("pk"))


def who_voted(request: RestoreRequest) -> set[int]:
    """The accounts whose vote on the present facts stands."""
    votes = Vote.objects.filter(packet=request.packet, taken_back_at=None)
    return set(votes.values_list("voter_id", flat=True))


def who_took_part(request: RestoreRequest) -> set[int]:
    """The accounts of the requester and of whoever voted, commented or started."""
    ids = {request.requester_id, *request.votes.values_list("voter_id", flat=True)}
    ids |= set(Comment.objects.filter(request=request).values_list("author_id", flat=True))
    return ids if request.start_asked_by_id is None else ids | {request.start_asked_by_id}
