"""When a restore needs a person: look again, verify again, and close it by two people."""

from __future__ import annotations

from backups.domain.actions import Action
from backups.domain.execution import ExecutionState, Purpose, Step
from backups.domain.notification import Topic
from backups.domain.people import Actor
from backups.domain.restore import Verb
from backups.models import Execution, Resolution, RestoreRequest
from backups.services.afterwards.opening import open_checklist
from backups.services.execution.queue import enqueue
from backups.services.notification.tell import tell
from backups.services.restore.errors import InvalidInput
from backups.services.restore.governed import Granted, account_of, on_request
from backups.services.restore.transition import change_state, record_on

_ACTION_OF_KIND = {Resolution.Kind.ACCEPT: Action.ACCEPT, Resolution.Kind.DISPROVE: Action.DISPROVE}


def look_again(*, actor: Actor, request_id: int) -> RestoreRequest:
    """Has the worker ask Neon once more what became of the order; never sends it again. Raises Refused."""
    return on_request(
        actor=actor, request_id=request_id, action=Action.LOOK_AGAIN, act=lambda granted: _review(granted, Step.SUBMIT)
    )


def verify_again(*, actor: Actor, request_id: int) -> RestoreRequest:
    """Has the worker run the checks once more. Raises Refused."""
    return on_request(
        actor=actor,
        request_id=request_id,
        action=Action.VERIFY_AGAIN,
        act=lambda granted: _review(granted, Step.WAIT),
    )


def propose_resolution(*, actor: Actor, request_id: int, kind: Resolution.Kind, reason: str) -> Resolution:
    """One person's proposal of how to close the request; a second must confirm. Raises Refused, InvalidInput."""
    if not reason.strip():
        raise InvalidInput({"reason": "Say what you saw and why. A second person and the auditors read this."})
    return on_request(
        actor=actor,
        request_id=request_id,
        action=_ACTION_OF_KIND[kind],
        act=lambda granted: _propose(granted, kind, reason.strip()),
    )


def confirm_resolution(*, actor: Actor, request_id: int, reason: str = "") -> RestoreRequest:
    """The second person's confirmation closes the request. Raises Refused."""
    return on_request(
        actor=actor, request_id=request_id, action=Action.CONFIRM, act=lambda granted: _confirm(granted, reason)
    )


def drop_resolution(*, actor: Actor, request_id: int) -> RestoreRequest:
    """Takes an open proposal off the table, by anybody who could decide. Raises Refused."""
    return on_request(actor=actor, request_id=request_id, action=Action.DROP_PROPOSAL, act=_drop)


def _halted_run(request: RestoreRequest) -> Execution:
    """The newest run; the rules asked for a halted one under the request's lock."""
    newest = Execution.objects.filter(request=request, purpose=Purpose.RESTORE).order_by("-pk")
    return newest.select_for_update()[:1].get()


def _review(granted: Granted, step: Step) -> RestoreRequest:
    run = _halted_run(granted.request)
    run.state = ExecutionState.REVIEWING.value
    run.step = step.value
    run.attempts = 0
    run.review_round += 1
    run.next_attempt_at = granted.now
    run.lease_until = None
    run.save()
    decision = "look_again" if step is Step.SUBMIT else "verify_again"
    record_on(granted.request, type="request.looked_again", actor=granted.actor, details={"decision": decision})
    enqueue(run.pk)
    return granted.request


def _propose(granted: Granted, kind: Resolution.Kind, reason: str) -> Resolution:
    event = record_on(
        granted.request,
        type="request.resolution_proposed",
        actor=granted.actor,
        details={"decision": kind.value},
        text=reason,
    )
    resolution = Resolution.objects.create(
        request=granted.request,
        kind=kind,
        proposed_by_id=account_of(granted.actor),
        proposed_by_name=granted.actor.name,
        proposed_at=granted.now,
        reason=event.free_text,
    )
    tell(topic=Topic.SECOND_PERSON_WANTED, request=granted.request)
    return resolution


def _open_resolution(request: RestoreRequest) -> Resolution:
    return Resolution.objects.select_for_update().get(
        request=request, confirmed_at__isnull=True, dropped_at__isnull=True
    )


def _confirm(granted: Granted, reason: str) -> RestoreRequest:
    resolution = _open_resolution(granted.request)
    resolution.confirmed_by_id = granted.actor.user_id
    resolution.confirmed_by_name = granted.actor.name
    resolution.confirmed_at = granted.now
    resolution.save()
    accepted = resolution.kind == Resolution.Kind.ACCEPT
    _end_run(granted, "accepted" if accepted else "disproved")
    names = f"{resolution.proposed_by_name} and {resolution.confirmed_by_name}"
    change_state(
        granted.request,
        verb=Verb.ACCEPT if accepted else Verb.DISPROVE,
        actor=granted.actor,
        now=granted.now,
        text=reason.strip(),
        details={"decision": resolution.kind},
        fields={
            "closed_at": granted.now,
            "outcome_code": "accepted_by_people" if accepted else "did_not_run",
            "outcome_sentence": f"Accepted as it is by {names}." if accepted else f"It did not run, say {names}.",
        },
    )
    if accepted:
        open_checklist(granted.request, actor=granted.actor, now=granted.now)
    tell(topic=Topic.COMPLETED if accepted else Topic.FAILED, request=granted.request)
    return granted.request


def _end_run(granted: Granted, outcome_code: str) -> None:
    run = _halted_run(granted.request)
    if run.state != ExecutionState.HALTED:
        return  # an undo took it over and ended it then
    run.state = ExecutionState.FINISHED.value
    run.outcome_code = outcome_code
    run.finished_at = granted.now
    run.save()


def _drop(granted: Granted) -> RestoreRequest:
    resolution = _open_resolution(granted.request)
    resolution.dropped_at = granted.now
    resolution.save(update_fields=["dropped_at"])
    record_on(
        granted.request,
        type="request.resolution_dropped",
        actor=granted.actor,
        details={"decision": resolution.kind},
    )
    return granted.request
