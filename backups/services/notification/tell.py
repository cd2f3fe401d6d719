"""Tells people of a restore request, in the transaction of the change."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User

from backups.domain.notification import ASKS_FOR_VOTES, Subject, SubjectKind, Topic, message_text
from backups.domain.notification.topics import ENDS_THE_CALL, severity_of_request_topic
from backups.domain.restore import RestoreKind
from backups.models import Comment, RestoreRequest
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


def tell(*, topic: Topic, request: RestoreRequest) -> int:
    """Queues one message for each person concerned and one for each team channel; returns how many can travel.

    A dead channel never delays a request: delivery happens later, in the worker. Who can't be reached by mail gets
    a row too, given up from the start, so that the page can say so.
    """
    now = database_now()
    occasion = f"{request.revision}:{now.timestamp():.6f}"
    return put_into_outbox(notice_of(topic, request, occasion=occasion), people=audience(topic, request), now=now)


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


def who_took_part(request: RestoreRequest) -> set[int]:
    """The accounts of the requester and of whoever voted, commented or started."""
    ids = {request.requester_id, *request.votes.values_list("voter_id", flat=True)}
    ids |= set(Comment.objects.filter(request=request).values_list("author_id", flat=True))
    return ids if request.start_asked_by_id is None else ids | {request.start_asked_by_id}
