"""The start window as the worker meets it: Neon is busy, or the point has left the history."""

from __future__ import annotations

import datetime as dt

from backups.domain.notification import Topic
from backups.domain.people import SYSTEM
from backups.domain.restore import RequestState, Verb
from backups.models import RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.policy import policy_in_force
from backups.services.notification.tell import tell
from backups.services.restore.outcome import fail_without_effect
from backups.services.restore.transition import change_state, lock_request

#: Longer than the longest wait between two tries, so that the clock does not strike in between.
_STEP = dt.timedelta(seconds=90)


def extend_start_while_busy(*, request_id: int) -> None:
    """Moves the end of the start window a little ahead of now, never beyond the policy's limit after the last vote.

    Runs in the transaction that notes the wait, with the request locked.
    """
    request = RestoreRequest.objects.get(pk=request_id)
    if request.state != RequestState.APPROVED or request.approved_at is None or request.start_until is None:
        return
    limit = request.approved_at + dt.timedelta(seconds=policy_in_force().start_window_busy_seconds)
    until = min(limit, database_now() + _STEP)
    if until > request.start_until:
        RestoreRequest.objects.filter(pk=request_id).update(start_until=until)


def close_lost_point(*, request_id: int, sentence: str) -> None:
    """The restore point can't be reached any more, so the request has run out of time. Nothing was sent."""
    request = lock_request(request_id)
    if request.state != RequestState.APPROVED:
        fail_without_effect(request_id=request_id, code="point_out_of_window", sentence=sentence)
        return
    now = database_now()
    change_state(
        request,
        verb=Verb.EXPIRE,
        actor=SYSTEM,
        now=now,
        sentence=sentence,
        fields={"closed_at": now, "outcome_code": "point_out_of_window", "outcome_sentence": sentence[:400]},
    )
    tell(topic=Topic.EXPIRED, request=request)
