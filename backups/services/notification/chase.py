"""Calls again on people who have not opened an urgent request, and then on those who can reach them.

Everybody who can vote is told at once, so there is no second rank of voters to go to. What is left when they do not
answer is to tell the people who know their phone numbers: see docs/adr on escalation.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, Q

from backups.domain.notification import Topic
from backups.domain.people import Capability
from backups.domain.restore import RequestState, Urgency
from backups.models import OutboxMessage, RequestOpened, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.people import people_with
from backups.selectors.restore import eligible_voters
from backups.services.notification.outbox import already_told, put_into_outbox
from backups.services.notification.tell import notice_of, who_voted
from backups.services.restore.transition import lock_request, packet_of


def chase_voters() -> int:
    """A duty of the worker: repeats and escalates urgent requests that wait for votes; returns how many it told of."""
    waiting = RestoreRequest.objects.filter(state=RequestState.PENDING, urgency=Urgency.URGENT)
    soonest = database_now() - dt.timedelta(seconds=settings.NOTIFICATION_REPEAT_SECONDS)
    due = waiting.filter(messages__topic=Topic.VOTES_WANTED, messages__created_at__lte=soonest)
    return sum(_chase(request_id) for request_id in due.values_list("pk", flat=True).distinct())


def _chase(request_id: int) -> bool:
    with transaction.atomic():
        request = lock_request(request_id)
        now = database_now()
        asked_at = _asked_at(request)
        if request.state != RequestState.PENDING or asked_at is None or _is_over(request, now):
            return False
        waited_seconds = (now - asked_at).total_seconds()
        told = _repeat(request, asked_at, waited_seconds, now)
        return _escalate(request, asked_at, waited_seconds, now) or told


def _asked_at(request: RestoreRequest) -> dt.datetime | None:
    asked = OutboxMessage.objects.filter(request=request, topic=Topic.VOTES_WANTED)
    newest: dt.datetime | None = asked.aggregate(newest=Max("created_at"))["newest"]
    return newest


def _is_over(request: RestoreRequest, now: dt.datetime) -> bool:
    return request.votes_until is None or now >= request.votes_until


def _repeat(request: RestoreRequest, asked_at: dt.datetime, waited_seconds: float, now: dt.datetime) -> bool:
    """The newest repeat that is due; those that a worker at rest missed are not made up for."""
    number = min(int(waited_seconds // settings.NOTIFICATION_REPEAT_SECONDS), settings.NOTIFICATION_REPEATS)
    notice = notice_of(Topic.VOTES_REPEAT, request, occasion=f"{asked_at.isoformat()}:{number}")
    if number < 1 or already_told(notice):
        return False
    people = _without_answer(request)
    return bool(people) and put_into_outbox(notice, people=people, now=now) > 0


def _without_answer(request: RestoreRequest) -> list[User]:
    """Who can vote, has not voted and has not opened the page. Who became able since is told for the first time."""
    answered = who_voted(request) | _who_opened(request)
    return [person for person in eligible_voters(request) if person.pk not in answered]


def _who_opened(request: RestoreRequest) -> set[int]:
    return set(RequestOpened.objects.filter(request=request).values_list("person_id", flat=True))


def _escalate(request: RestoreRequest, asked_at: dt.datetime, waited_seconds: float, now: dt.datetime) -> bool:
    notice = notice_of(Topic.VOTES_ESCALATED, request, occasion=asked_at.isoformat())
    if waited_seconds < settings.NOTIFICATION_ESCALATE_SECONDS or already_told(notice):
        return False
    voters = {person.pk for person in eligible_voters(request)}
    answered = voters & (who_voted(request) | _who_opened(request))
    if len(answered) >= packet_of(request).votes_needed:
        return False
    return put_into_outbox(notice, people=_who_can_reach_them(request, voters), now=now) > 0


def _who_can_reach_them(request: RestoreRequest, voters: set[int]) -> list[User]:
    """The requester, the administrators, and whoever holds the role without being able to vote on this request."""
    managers = people_with(Capability.VOTE_ON_RESTORE).exclude(pk__in=voters)
    administrators = people_with(Capability.MANAGE_PEOPLE)
    ids = {*managers.values_list("pk", flat=True), *administrators.values_list("pk", flat=True)}
    return list(User.objects.filter(Q(pk__in=ids) | Q(pk=request.requester_id), is_active=True).order_by("pk"))
