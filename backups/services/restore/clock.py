"""The clocks of requests: votes, start. A time-out always means expired, never approved."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from backups.domain.notification import Topic
from backups.domain.people import SYSTEM
from backups.domain.restore import RequestState, Verb
from backups.models import RestoreRequest
from backups.selectors.clock import database_now
from backups.services.notification.tell import tell
from backups.services.restore.revision import end_runs
from backups.services.restore.transition import change_state, lock_request

#: A preparation that no worker ever touched; the run's own deadline returns it to a draft much earlier.
_PREPARATION_GIVES_UP = dt.timedelta(minutes=30)


def expire_due_requests() -> int:
    """Expires what ran out of time by the database's clock; returns how many. Harmless to run at any time."""
    now = database_now()
    due = RestoreRequest.objects.filter(state=RequestState.PENDING, votes_until__lte=now)
    due |= RestoreRequest.objects.filter(state=RequestState.APPROVED, start_until__lte=now)
    due |= RestoreRequest.objects.filter(
        state=RequestState.PREPARING,
        transitions__to_state=RequestState.PREPARING,
        submitted_at__lte=now - _PREPARATION_GIVES_UP,
    )
    return sum(_expire(pk) for pk in due.values_list("pk", flat=True).distinct())


def _expire(request_id: int) -> bool:
    with transaction.atomic():
        request = lock_request(request_id)
        now = database_now()
        sentence = _what_ran_out(request, now)
        if sentence is None:
            return False
        end_runs(request, outcome_code="expired", now=now)
        change_state(
            request,
            verb=Verb.EXPIRE,
            actor=SYSTEM,
            now=now,
            sentence=sentence,
            fields={"closed_at": now, "outcome_code": "expired", "outcome_sentence": sentence},
        )
        tell(topic=Topic.EXPIRED, request=request)
        return True


def _what_ran_out(request: RestoreRequest, now: dt.datetime) -> str | None:
    if request.state == RequestState.PENDING and _passed(request.votes_until, now):
        return "The time for votes ran out. Nothing was changed."
    if request.state == RequestState.APPROVED and _passed(request.start_until, now):
        return "It was approved and not started in time. Nothing was changed."
    if request.state == RequestState.PREPARING and _prepared_for_too_long(request, now):
        return "The facts could not be gathered. Nothing was changed."
    return None


def _passed(deadline: dt.datetime | None, now: dt.datetime) -> bool:
    return deadline is not None and deadline <= now


def _prepared_for_too_long(request: RestoreRequest, now: dt.datetime) -> bool:
    entered = request.transitions.filter(to_state=RequestState.PREPARING).order_by("-number").first()
    return entered is not None and entered.at + _PREPARATION_GIVES_UP <= now
