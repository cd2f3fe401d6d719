"""One change of state: the row, its history and its ledger event, in the caller's transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from backups.domain.ledger import Outcome, Target
from backups.domain.people import Actor
from backups.domain.restore import RequestState, Verb, next_state
from backups.ledger.fields import Detail
from backups.models import DecisionPacket, LedgerEvent, RestoreRequest, RestoreTransition
from backups.services.ledger import record_event

EVENT_OF_VERB: dict[Verb, str] = {
    Verb.SUBMIT: "request.submitted",
    Verb.PREPARED: "request.packet_built",
    Verb.RETURNED: "request.packet_incomplete",
    Verb.QUORUM: "request.approved",
    Verb.EDIT: "request.edited",
    Verb.DRIFT: "request.drifted",
    Verb.TAKE_BACK: "request.state_changed",
    Verb.REJECT: "request.rejected",
    Verb.WITHDRAW: "request.withdrawn",
    Verb.EXPIRE: "request.expired",
    Verb.CLAIM: "request.running",
    Verb.COMPLETE: "request.completed",
    Verb.NO_EFFECT: "request.failed",
    Verb.HALT: "request.needs_attention",
    Verb.ACCEPT: "request.resolution_confirmed",
    Verb.DISPROVE: "request.resolution_confirmed",
}


def lock_request(request_id: int) -> RestoreRequest:
    """The request's row, locked until the transaction ends."""
    return (
        RestoreRequest.objects.select_for_update(of=("self",))
        .select_related("branch__project", "packet", "undo_of")
        .get(pk=request_id)
    )


def packet_of(request: RestoreRequest) -> DecisionPacket:
    """The facts in force. Raises LookupError for a request without any, which the database forbids once approved."""
    if request.packet is None:
        raise LookupError(f"{request.reference} has no facts to vote on.")
    return request.packet


def target_of(request: RestoreRequest) -> Target:
    """The request as the target of an event."""
    return Target(
        kind="restore_request",
        id=request.reference,
        project=request.branch.project.neon_project_id,
        branch=request.branch.neon_branch_id,
        environment=request.branch.environment.value,
    )


def facts_of(request: RestoreRequest) -> dict[str, Detail]:
    """What every event about a request says of it."""
    facts: dict[str, Detail] = {
        "request": request.reference,
        "kind": request.kind,
        "scenario": request.scenario,
        "point_kind": request.point_kind,
        "environment": request.branch.environment.value,
    }
    optional: dict[str, Detail | None] = {
        "point_time": request.point_at,
        "point_lsn": request.point_lsn.upper() or None,
        "point_snapshot": request.snapshot_id or None,
        "undoes": request.undo_of.reference if request.undo_of else None,
        "digest": request.packet.digest if request.packet else None,
        "packet_number": request.packet.revision if request.packet else None,
    }
    return facts | {name: value for name, value in optional.items() if value is not None}


def record_on(
    request: RestoreRequest,
    *,
    type: str,
    actor: Actor,
    details: Mapping[str, Detail] | None = None,
    text: str = "",
    outcome: Outcome = Outcome.SUCCESS,
) -> LedgerEvent:
    """Writes an event about the request that changes no state."""
    return record_event(
        type=type,
        actor=actor,
        target=target_of(request),
        outcome=outcome,
        details={"request": request.reference} | dict(details or {}),
        text=text,
        ticket=request.ticket,
        sandbox=request.branch.project.is_sandbox,
        correlation=request.reference,
    )


def change_state(
    request: RestoreRequest,
    *,
    verb: Verb,
    actor: Actor,
    now: dt.datetime,
    sentence: str = "",
    details: Mapping[str, Detail] | None = None,
    text: str = "",
    fields: Mapping[str, Any] | None = None,
    event_type: str = "",
) -> LedgerEvent:
    """Moves the locked request along the table of transitions. Raises IllegalTransition; writes nothing then."""
    before = RequestState(request.state)
    after = next_state(before, verb)
    for name, value in (fields or {}).items():
        setattr(request, name, value)
    request.state = after.value
    request.save()
    moved: dict[str, Detail] = {"from_state": before.value, "to_state": after.value}
    event = record_on(
        request,
        type=event_type or EVENT_OF_VERB[verb],
        actor=actor,
        details=facts_of(request) | moved | dict(details or {}),
        text=text,
    )
    RestoreTransition.objects.create(
        request=request,
        number=request.transitions.count() + 1,
        from_state=before.value,
        to_state=after.value,
        verb=verb.value,
        actor_name=actor.name,
        sentence=sentence[:400],
        at=now,
        event_id=event.pk,
    )
    return event
