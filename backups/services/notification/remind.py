"""Tells who has not voted once more, shortly before the time for votes is over."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from backups.domain.notification import Topic
from backups.domain.restore import RequestState
from backups.models import RestoreRequest, Vote
from backups.selectors.clock import database_now
from backups.services.notification.outbox import already_told, put_into_outbox
from backups.services.notification.tell import audience, notice_of
from backups.services.restore.transition import lock_request


def remind_voters() -> int:
    """A duty of the worker: one reminder for each request and revision; returns how many requests it was for."""
    soon = database_now() + dt.timedelta(seconds=settings.NOTIFICATION_REMIND_SECONDS)
    waiting = RestoreRequest.objects.filter(state=RequestState.PENDING, votes_until__lte=soon)
    return sum(_remind(request_id) for request_id in waiting.values_list("pk", flat=True))


def _remind(request_id: int) -> bool:
    with transaction.atomic():
        request = lock_request(request_id)
        now = database_now()
        if not _is_due(request, now):
            return False
        notice = notice_of(
            Topic.VOTES_REMINDER, request, occasion=str(request.revision), minutes_left=_left(request, now)
        )
        put_into_outbox(notice, people=_without_vote(request), now=now)
        return True


def _is_due(request: RestoreRequest, now: dt.datetime) -> bool:
    if request.state != RequestState.PENDING or request.votes_until is None or request.packet is None:
        return False
    # Where the whole time for votes is short, half of it passes before anybody is reminded.
    half = (request.votes_until - request.packet.built_at) / 2
    before = min(dt.timedelta(seconds=settings.NOTIFICATION_REMIND_SECONDS), half)
    return request.votes_until - before <= now < request.votes_until and not _was_reminded(request)


def _was_reminded(request: RestoreRequest) -> bool:
    return already_told(notice_of(Topic.VOTES_REMINDER, request, occasion=str(request.revision), minutes_left=0))


def _left(request: RestoreRequest, now: dt.datetime) -> int:
    return 0 if request.votes_until is None else int((request.votes_until - now).total_seconds() // 60)


def _without_vote(request: RestoreRequest) -> list[User]:
    voted = set(Vote.objects.filter(packet=request.packet, taken_back_at=None).values_list("voter_id", flat=True))
    return [person for person in audience(Topic.VOTES_REMINDER, request) if person.pk not in voted]
