"""What the ledger learns of messages: which, on which channel, to whom, how it went. Never their address."""

from __future__ import annotations

from collections.abc import Mapping

from backups.domain.ledger import NO_TARGET, Outcome, Target
from backups.domain.notification import Subject
from backups.domain.people import SYSTEM, Actor
from backups.ledger.fields import Detail
from backups.models import RestoreRequest
from backups.services.ledger import record_event
from backups.services.restore.transition import target_of


def record_about(
    subject: Subject | None,
    request: RestoreRequest | None = None,
    *,
    type: str,
    details: Mapping[str, Detail],
    outcome: Outcome = Outcome.SUCCESS,
    reason_code: str = "",
    actor: Actor = SYSTEM,
) -> None:
    """One event in the open transaction, about what the message tells of, if anything."""
    record_event(
        type=type,
        actor=actor,
        target=_target(subject, request),
        outcome=outcome,
        details={"request": request.reference if request else None} | dict(details),
        reason_code=reason_code,
        sandbox=subject.is_sandbox if subject else None,
        correlation=subject.reference if subject else "",
    )


def _target(subject: Subject | None, request: RestoreRequest | None) -> Target:
    if request is not None:
        return target_of(request)
    if subject is None:
        return NO_TARGET
    return Target(kind=subject.kind.value, id=subject.reference, project=subject.project)
