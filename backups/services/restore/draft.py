"""Writing, changing and submitting a restore request."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from backups.domain.actions import Action
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.domain.policy import default_start_mode
from backups.domain.restore import (
    PointKind,
    RequestState,
    RestoreKind,
    RestorePoint,
    Scenario,
    SnapshotMode,
    StartMode,
    Urgency,
    Verb,
    WritersStopped,
    whole_milliseconds,
)
from backups.models import LedgerEvent, ProtectedBranch, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.project import source_id_at
from backups.selectors.restore import preserved_branch
from backups.services.restore.errors import Refused
from backups.services.restore.governed import Granted, account_of, on_request, refusals_recorded, with_roles_of_now
from backups.services.restore.input import check_wish
from backups.services.restore.revision import prepare_revision
from backups.services.restore.transition import facts_of, record_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the filing form holds. Times are aware; `point_entered_as` keeps what was typed, with its zone."""

    branch_id: int
    kind: RestoreKind
    point: RestorePoint
    scenario: Scenario
    reason: str
    point_entered_as: str = ""
    snapshot_mode: SnapshotMode | None = None
    ticket: str = ""
    thread_url: str = ""
    urgency: Urgency = Urgency.URGENT
    noticed_at: dt.datetime | None = None
    began_at: dt.datetime | None = None
    writers_stopped: WritersStopped = WritersStopped.BEFORE_START
    start_mode: StartMode | None = None
    copy_expires_at: dt.datetime | None = None


def draft_request(*, actor: Actor, wish: Wish) -> RestoreRequest:
    """Writes a draft; nobody is told. Raises Refused, InvalidInput."""
    target = Target(kind="restore_request", id="new")
    with refusals_recorded(actor=actor, target=target):
        actor = with_roles_of_now(actor)
        _may_file(actor)
        branch = _branch(wish.branch_id)
        now = database_now()
        check_wish(wish, branch=branch, now=now)
        request = RestoreRequest(requester_id=account_of(actor), requester_name=actor.name)
        _fill(request, wish, branch)
        request.source_branch_id = source_id_at(branch, wish.point.at)
        return _save_draft(request, actor=actor, reason=wish.reason)


def draft_undo(*, actor: Actor, request_id: int, reason: str, start_mode: StartMode | None = None) -> RestoreRequest:
    """Writes the draft of an undo, filled in from the restore that it takes back. Raises Refused, InvalidInput."""
    return on_request(
        actor=actor,
        request_id=request_id,
        action=Action.UNDO,
        act=lambda granted: _draft_undo(granted, reason=reason, start_mode=start_mode),
    )


def submit_request(*, actor: Actor, request_id: int) -> RestoreRequest:
    """Hands a draft in: the worker gathers the facts, then people vote. Raises Refused, InvalidInput."""
    return on_request(actor=actor, request_id=request_id, action=Action.SUBMIT, act=_submit)


def edit_request(*, actor: Actor, request_id: int, wish: Wish) -> RestoreRequest:
    """Changes a request. Votes on what it said before are void, and the facts are gathered again."""
    return on_request(actor=actor, request_id=request_id, action=Action.EDIT, act=lambda granted: _edit(granted, wish))


def _may_file(actor: Actor) -> None:
    if actor.user_id is None or not actor.may(Capability.FILE_RESTORE):
        raise Refused(action=None, code="file_not_allowed", sentence="Your role does not let you file a restore.")


def _branch(branch_id: int) -> ProtectedBranch:
    branch = ProtectedBranch.objects.select_related("project").filter(pk=branch_id).first()
    if branch is None:
        raise Refused(action=None, code="unknown_branch", sentence="There is no such branch. Nothing was filed.")
    return branch


def _fill(request: RestoreRequest, wish: Wish, branch: ProtectedBranch) -> None:
    request.branch = branch
    request.kind = wish.kind.value
    request.point_kind = wish.point.kind.value
    request.point_at = whole_milliseconds(wish.point.at) if wish.point.at else None
    request.point_lsn = wish.point.lsn
    request.snapshot_id = wish.point.snapshot_id
    request.snapshot_name = wish.point.snapshot_name
    request.snapshot_mode = wish.snapshot_mode.value if wish.snapshot_mode else ""
    request.point_entered_as = wish.point_entered_as
    request.scenario = wish.scenario.value
    request.ticket = wish.ticket
    request.thread_url = wish.thread_url
    request.urgency = wish.urgency.value
    request.noticed_at = wish.noticed_at
    request.began_at = wish.began_at
    request.writers_stopped = wish.writers_stopped.value
    request.copy_expires_at = wish.copy_expires_at
    mode = wish.start_mode or default_start_mode(kind=wish.kind, environment=branch.environment)
    request.start_mode = mode.value


def _save_draft(request: RestoreRequest, *, actor: Actor, reason: str) -> RestoreRequest:
    request.save()
    event = record_on(request, type="request.drafted", actor=actor, details=facts_of(request), text=reason)
    request.reason = event.free_text
    request.save(update_fields=["reason"])
    return request


def _draft_undo(granted: Granted, *, reason: str, start_mode: StartMode | None) -> RestoreRequest:
    restore = granted.request
    kept = preserved_branch(restore)
    if kept is None:
        raise Refused(action=Action.UNDO, code="nothing_kept", sentence="The state before is not known to be kept.")
    wish = Wish(
        branch_id=restore.branch_id,
        kind=RestoreKind.UNDO,
        point=RestorePoint(PointKind.HEAD),
        scenario=Scenario(restore.scenario),
        reason=reason,
        ticket=restore.ticket,
        thread_url=restore.thread_url,
        urgency=Urgency(restore.urgency),
        noticed_at=restore.noticed_at,
        began_at=restore.began_at,
        writers_stopped=WritersStopped(restore.writers_stopped),
        start_mode=start_mode,
    )
    check_wish(wish, branch=restore.branch, now=granted.now)
    undo = RestoreRequest(requester_id=account_of(granted.actor), requester_name=granted.actor.name, undo_of=restore)
    _fill(undo, wish, restore.branch)
    undo.source_branch_id = kept.neon_branch_id
    return _save_draft(undo, actor=granted.actor, reason=reason)


def _submit(granted: Granted) -> RestoreRequest:
    request = granted.request
    check_wish(wish_of(request), branch=request.branch, now=granted.now)
    prepare_revision(request, verb=Verb.SUBMIT, actor=granted.actor, now=granted.now)
    return request


def wish_of(request: RestoreRequest) -> Wish:
    """The wish that a stored request holds: for checking it again and for filing it again."""
    return Wish(
        branch_id=request.branch_id,
        kind=RestoreKind(request.kind),
        point=request.point,
        point_entered_as=request.point_entered_as,
        snapshot_mode=SnapshotMode(request.snapshot_mode) if request.snapshot_mode else None,
        scenario=Scenario(request.scenario),
        reason=request.reason.text if request.reason else "",
        ticket=request.ticket,
        thread_url=request.thread_url,
        urgency=Urgency(request.urgency),
        noticed_at=request.noticed_at,
        began_at=request.began_at,
        writers_stopped=WritersStopped(request.writers_stopped),
        start_mode=StartMode(request.start_mode),
        copy_expires_at=request.copy_expires_at,
    )


def _edit(granted: Granted, wish: Wish) -> RestoreRequest:
    request = granted.request
    if request.kind == RestoreKind.UNDO:
        wish = replace(wish, branch_id=request.branch_id, kind=RestoreKind.UNDO, point=RestorePoint(PointKind.HEAD))
    branch = _branch(wish.branch_id)
    check_wish(wish, branch=branch, now=granted.now)
    _fill(request, wish, branch)
    if request.kind != RestoreKind.UNDO:
        request.source_branch_id = source_id_at(branch, wish.point.at)
    event = _record_edit(granted, wish)
    request.reason = event.free_text
    request.save()
    return request


def _record_edit(granted: Granted, wish: Wish) -> LedgerEvent:
    request = granted.request
    if request.state != RequestState.DRAFT:
        return prepare_revision(request, verb=Verb.EDIT, actor=granted.actor, now=granted.now, text=wish.reason)
    request.outcome_code = request.outcome_sentence = ""
    return record_on(request, type="request.edited", actor=granted.actor, details=facts_of(request), text=wish.reason)
