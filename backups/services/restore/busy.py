"""While Neon is busy or unreachable, an approved request keeps its chance to start, up to a limit."""

from __future__ import annotations

import datetime as dt

from backups.domain.restore import RequestState
from backups.models import RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.policy import policy_in_force

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
