"""What the ledger learns of messages: which, on which channel, to whom, how it went. Never their address."""

from __future__ import annotations

from collections.abc import Mapping

from backups.domain.ledger import NO_TARGET, Outcome
from backups.domain.people import SYSTEM, Actor
from backups.ledger.fields import Detail
from backups.models import RestoreRequest
from backups.services.ledger import record_event
from backups.services.restore.transition import target_of


def record_about(
    request: RestoreRequest | None,
    *,
    type: str,
    details: Mapping[str, Detail],
    outcome: Outcome = Outcome.SUCCESS,
    reason_code: str = "",
    actor: Actor = SYSTEM,
) -> None:
    """One event in the open transaction, about the request that the message tells of, if any."""
    record_event(
        type=type,
        actor=actor,
        target=target_of(request) if request else NO_TARGET,
        outcome=outcome,
        details={"request": request.reference if request else None} | dict(details),
        reason_code=reason_code,
        sandbox=request.branch.project.is_sandbox if request else None,
        correlation=request.reference if request else "",
    )
