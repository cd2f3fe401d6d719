"""Warns before a clock of a request runs out: when half, and when most, of the time for votes or the start is over."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from backups.domain.notification import Topic
from backups.domain.people import Capability
from backups.domain.restore import RequestState
from backups.models import RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.people import people_with
from backups.selectors.restore import eligible_voters
from backups.services.notification.outbox import already_told, put_into_outbox
from backups.services.notification.tell import notice_of, who_took_part, who_voted
from backups.services.restore.transition import lock_request


@dataclass(frozen=True, slots=True)
class _Clock:
    topic: Topic
    since: dt.datetime
    until: dt.datetime


def warn_of_clocks() -> int:
    """A duty of the worker: at each mark one warning; returns how many requests it was for."""
    now = database_now()
    running = Q(state=RequestState.PENDING, votes_until__gt=now)
    running |= Q(state=RequestState.APPROVED, start_until__gt=now, start_asked_at__isnull=True)
    requests = RestoreRequest.objects.filter(running).select_related("packet", "branch__project", "undo_of")
    # Looked at without a lock first: most of the time nothing is due.
    return sum(_warn(request.pk) for request in requests if _due_mark(request, now) is not None)


def _warn(request_id: int) -> bool:
    with transaction.atomic():
        request = lock_request(request_id)
        now = database_now()
        clock, mark = _clock_of(request), _due_mark(request, now)
        if clock is None or mark is None:
            return False
        left = int((clock.until - now).total_seconds() // 60)
        notice = notice_of(clock.topic, request, occasion=_occasion(request, clock, mark), minutes_left=left)
        put_into_outbox(notice, people=_people(request, clock, mark), now=now)
        return True


def _due_mark(request: RestoreRequest, now: dt.datetime) -> int | None:
    """The highest mark, in percent, that has been passed and not been told of."""
    clock = _clock_of(request)
    if clock is None or not clock.since < now < clock.until:
        return None
    percent = 100 * (now - clock.since) / (clock.until - clock.since)
    passed = [mark for mark in _marks() if mark <= percent]
    if not passed:
        return None
    notice = notice_of(clock.topic, request, occasion=_occasion(request, clock, max(passed)), minutes_left=0)
    return None if already_told(notice) else max(passed)


def _marks() -> tuple[int, int]:
    return settings.NOTIFICATION_FIRST_WARNING_PERCENT, settings.NOTIFICATION_LAST_WARNING_PERCENT


def _clock_of(request: RestoreRequest) -> _Clock | None:
    if request.state == RequestState.PENDING and request.packet and request.votes_until:
        return _Clock(Topic.VOTES_REMINDER, request.packet.built_at, request.votes_until)
    waits_for_start = request.state == RequestState.APPROVED and request.start_asked_at is None
    if waits_for_start and request.approved_at and request.start_until:
        return _Clock(Topic.START_REMINDER, request.approved_at, request.start_until)
    return None


def _occasion(request: RestoreRequest, clock: _Clock, mark: int) -> str:
    return f"{request.revision}:{clock.since.isoformat()}:{mark}"


def _people(request: RestoreRequest, clock: _Clock, mark: int) -> list[User]:
    """For votes, who can vote and has not; for the start, who took part, and at last every engineer."""
    if clock.topic is Topic.VOTES_REMINDER:
        voted = who_voted(request)
        return [person for person in eligible_voters(request) if person.pk not in voted]
    ids = who_took_part(request)
    if mark == max(_marks()):
        ids |= set(people_with(Capability.START_RESTORE).values_list("pk", flat=True))
    return list(User.objects.filter(pk__in=ids, is_active=True).order_by("pk"))
