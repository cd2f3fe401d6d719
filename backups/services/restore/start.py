"""Starting an approved request: an act of its own. And stopping one that Neon has not accepted."""

from __future__ import annotations

import datetime as dt

from backups.domain.actions import Action
from backups.domain.execution import BLOCKING, ExecutionState, Purpose, Step
from backups.domain.notification import Topic
from backups.domain.people import Actor
from backups.domain.restore import PointKind, RestoreKind, StartMode, WritersStopped
from backups.models import Execution, ProtectedBranch, RestoreRequest
from backups.selectors.restore import discarded_minutes, restore_run
from backups.services.execution.create import create_execution
from backups.services.execution.queue import enqueue
from backups.services.notification.tell import tell
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import Granted, on_request
from backups.services.restore.transition import record_on

#: The page was read a little before the button was pressed.
_MINUTES_TOLERANCE = 2


def start_request(
    *, actor: Actor, request_id: int, writers_stopped: WritersStopped, minutes: int | None = None
) -> RestoreRequest:
    """Starts an approved request by hand. `minutes`: how much is thrown away, typed by the person.

    Raises Refused, InvalidInput.
    """
    return on_request(
        actor=actor,
        request_id=request_id,
        action=Action.START,
        act=lambda granted: _start_by_hand(granted, writers_stopped=writers_stopped, minutes=minutes),
    )


def stop_running(*, actor: Actor, request_id: int) -> RestoreRequest:
    """Asks the worker to give up before Neon accepts the order; the worker proves that nothing ran. Raises Refused."""
    return on_request(actor=actor, request_id=request_id, action=Action.STOP, act=_ask_to_stop)


def order_start(request: RestoreRequest, *, actor: Actor, now: dt.datetime) -> bool:
    """Creates the run of the locked, approved request.

    Where another restore still holds the branch, the start is left to a person and False is returned.
    """
    ProtectedBranch.objects.select_for_update().get(pk=request.branch_id)
    if _blocked_by(request) is not None:
        request.start_mode = StartMode.BY_HAND.value
        request.save(update_fields=["start_mode"])
        return False
    _take_over(request, actor=actor, now=now)
    request.start_asked_at = now
    request.start_asked_by_id = actor.user_id
    request.start_asked_by_name = actor.name
    request.save()
    record_on(request, type="request.started", actor=actor, details={"start_mode": request.start_mode})
    create_execution(
        purpose=Purpose.RESTORE,
        request=request,
        project=request.branch.project,
        branch=request.branch,
        revision=request.revision,
        step=Step.PREFLIGHT,
    )
    tell(topic=Topic.STARTED, request=request)
    return True


def _start_by_hand(granted: Granted, *, writers_stopped: WritersStopped, minutes: int | None) -> RestoreRequest:
    request = granted.request
    if request.point_kind != PointKind.LSN and RestoreKind(request.kind).overwrites:
        _minutes_agree(minutes, discarded_minutes(request, now=granted.now))
    request.writers_stopped = writers_stopped.value
    request.discarded_minutes_confirmed = minutes
    if not order_start(request, actor=granted.actor, now=granted.now):
        raise Refused(
            action=Action.START,
            code="branch_blocked",
            sentence="Another restore of this branch is not closed. Close it or undo it first; nothing was started.",
        )
    return request


def _minutes_agree(typed: int | None, real: int | None) -> None:
    if typed is None:
        raise InvalidInput({"minutes": "Type how many minutes of data are thrown away."})
    if real is not None and abs(typed - real) > _MINUTES_TOLERANCE:
        raise InvalidInput({"minutes": f"{real} minutes are thrown away, not {typed}. Nothing was started."})


def _blockers(request: RestoreRequest) -> list[Execution]:
    return list(
        Execution.objects.select_for_update()
        .filter(branch=request.branch, purpose=Purpose.RESTORE, state__in=[state.value for state in BLOCKING])
        .exclude(request=request)
    )


def _blocked_by(request: RestoreRequest) -> Execution | None:
    """The run that keeps this one away; an undo is not kept away by the unclear restore that it takes back."""
    for run in _blockers(request):
        if run.request_id == request.undo_of_id and run.state == ExecutionState.HALTED:
            continue
        return run
    return None


def _take_over(request: RestoreRequest, *, actor: Actor, now: dt.datetime) -> None:
    for run in _blockers(request):
        run.state = ExecutionState.TAKEN_OVER.value
        run.finished_at = now
        run.save(update_fields=["state", "finished_at"])
        taken_back = request.undo_of or request
        record_on(taken_back, type="request.taken_over", actor=actor, details={"decision": request.reference})


def _ask_to_stop(granted: Granted) -> RestoreRequest:
    run = restore_run(granted.request)
    if run is None:
        raise Refused(action=Action.STOP, code="nothing_to_stop", sentence="There is nothing to stop.")
    run = Execution.objects.select_for_update().get(pk=run.pk)
    run.stop_asked_by_name = granted.actor.name
    run.save(update_fields=["stop_asked_by_name"])
    record_on(granted.request, type="request.stop_asked", actor=granted.actor)
    enqueue(run.pk)
    return granted.request
