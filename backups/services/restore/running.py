"""The last look at the votes, in the transaction that writes down the intent."""

from __future__ import annotations

from backups.domain.people import Actor
from backups.domain.restore import RequestState, Verb
from backups.models import Execution, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.restore import valid_approvals
from backups.services.restore.errors import StartRefused
from backups.services.restore.transition import change_state, lock_request


def mark_running(*, request_id: int, execution: Execution, actor: Actor) -> RestoreRequest:
    """Moves an approved request to `running` if everything that made it approved still holds.

    Runs in the transaction of the destructive call's intent. Raises StartRefused: then nothing may be sent.
    """
    request = lock_request(request_id)
    now = database_now()
    if request.state != RequestState.APPROVED:
        raise StartRefused("not_approved", "The request is not approved any more. Nothing was sent to Neon.")
    if execution.revision != request.revision or request.packet is None:
        raise StartRefused("facts_changed", "The request was changed after this start. Nothing was sent to Neon.")
    if request.start_until is None or now >= request.start_until:
        raise StartRefused("start_too_late", "The time to start ran out. Nothing was sent to Neon.")
    approvals = valid_approvals(request)
    if len(approvals) < request.packet.votes_needed:
        raise StartRefused(
            "approvals_missing",
            f"Only {len(approvals)} of {request.packet.votes_needed} approvals still count. Nothing was sent to Neon.",
        )
    change_state(
        request,
        verb=Verb.CLAIM,
        actor=actor,
        now=now,
        details={
            "voters": [f"user:{vote.voter_id}" for vote in approvals],
            "execution": f"X-{execution.pk}",
            "fence": execution.fence,
        },
        fields={"running_at": now},
        event_type="request.claimed",
    )
    return request
