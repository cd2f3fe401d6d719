"""A person lets a restore go on without the seal of its approvals: when the seal is broken and the data are gone."""

from __future__ import annotations

from backups.domain.actions import Action
from backups.domain.people import Actor
from backups.models import Execution, RestoreRequest
from backups.selectors.restore import restore_run
from backups.services.execution.queue import enqueue
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import Granted, on_request
from backups.services.restore.transition import record_on


def go_on_unsealed(*, actor: Actor, request_id: int, reason: str) -> RestoreRequest:
    """The waiting run sends its order without the seal. `reason` is kept with the event.

    Raises Refused, and InvalidInput for a reason that is missing or can't be kept.
    """
    return on_request(
        actor=actor, request_id=request_id, action=Action.GO_ON_UNSEALED, act=lambda granted: _waive(granted, reason)
    )


def _waive(granted: Granted, reason: str) -> RestoreRequest:
    if not reason.strip():
        raise InvalidInput({"reason": "Say why it can't wait. Nothing was changed."})
    run = restore_run(granted.request)
    if run is None:
        raise Refused(action=Action.GO_ON_UNSEALED, code="nothing_waits", sentence="Nothing waits for the seal.")
    run = Execution.objects.select_for_update().get(pk=run.pk)
    run.seal_waived_by_name = granted.actor.name
    run.save(update_fields=["seal_waived_by_name"])
    record_on(granted.request, type="request.seal_waived", actor=granted.actor, text=reason.strip())
    enqueue(run.pk)
    return granted.request
