"""Deleting what is kept: one person asks, a second one confirms, and the worker's clean-up carries it out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from backups.domain.afterwards import PointCode, PointState
from backups.domain.afterwards_rules import RemovalSituation, may_remove, removal_refusal
from backups.domain.execution import BranchFate, BranchPurpose
from backups.domain.ledger import Target
from backups.domain.people import Actor
from backups.domain.safety_copy import CopyState
from backups.ledger.fields import Detail
from backups.models import Checklist, LedgerEvent, OwnedBranch, Project, RemovalRequest, SafetyCopy
from backups.selectors.afterwards import undo_that_needs
from backups.selectors.clock import database_now
from backups.services.afterwards.points import change_point
from backups.services.afterwards.records import lock_checklist, refuse, refuse_unless
from backups.services.afterwards.telling import tell_removal_asked
from backups.services.ledger import record_event
from backups.services.restore.errors import InvalidInput
from backups.services.restore.governed import account_of, refusals_recorded, with_roles_of_now

MAX_REASON_CHARACTERS = 2000
_ROLE = "Your role does not let you have kept data deleted."


def ask_removal_of_state(
    *, actor: Actor, owned_branch_id: int, reason: str, not_before: dt.datetime | None = None
) -> RemovalRequest:
    """The first person's wish to delete the state before a restore, at `not_before` or as soon as it is confirmed.

    Raises Refused, InvalidInput.
    """
    owned = OwnedBranch.objects.select_related("project", "request").get(pk=owned_branch_id)
    with refusals_recorded(actor=actor, target=_target(owned, None)):
        person = with_roles_of_now(actor)
        owned = (
            OwnedBranch.objects.select_for_update(of=("self",)).select_related("project", "request").get(pk=owned.pk)
        )
        is_kept = owned.purpose == BranchPurpose.PRESERVED and owned.fate == BranchFate.PRESENT
        refuse_unless(is_kept, "nothing_kept", "This is not the kept state of a restore, or it is gone already.")
        return _ask(person, owned, None, reason, not_before)


def ask_removal_of_copy(*, actor: Actor, safety_copy_id: int, reason: str) -> RemovalRequest:
    """The first person's wish to delete a safety copy inside its retention. Raises Refused, InvalidInput."""
    copy = SafetyCopy.objects.select_related("branch__project").get(pk=safety_copy_id)
    with refusals_recorded(actor=actor, target=_target(None, copy)):
        person = with_roles_of_now(actor)
        copy = SafetyCopy.objects.select_for_update(of=("self",)).select_related("branch__project").get(pk=copy.pk)
        refuse_unless(copy.state == CopyState.MADE, "nothing_kept", "There is no such copy at Neon.")
        return _ask(person, None, copy, reason, None)


def confirm_removal(*, actor: Actor, removal_id: int) -> RemovalRequest:
    """The second person's yes: from `not_before` on the worker deletes it. Raises Refused."""
    with _deciding(actor, removal_id) as (removal, person):
        refuse(removal_refusal(situation_of(removal, person)), "confirm_not_allowed")
        removal.confirmed_by_id, removal.confirmed_by_name = account_of(person), person.name
        removal.confirmed_at = database_now()
        removal.save()
        _record(removal, "removal.confirmed", person, {"voters": [f"user:{removal.asked_by_id}", person.ref]})
        _settle_decision(removal, person)
        return removal


def drop_removal(*, actor: Actor, removal_id: int) -> RemovalRequest:
    """Takes a wish off the table that is not confirmed yet, by anybody who could confirm it. Raises Refused."""
    with _deciding(actor, removal_id) as (removal, person):
        refuse_unless(may_remove(person), "remove_not_allowed", _ROLE)
        is_open = removal.confirmed_at is None and removal.dropped_at is None
        refuse_unless(is_open, "removal_decided", "This wish is decided already.")
        removal.dropped_by_name, removal.dropped_at = person.name, database_now()
        removal.save()
        _record(removal, "removal.dropped", person, {})
        return removal


def situation_of(removal: RemovalRequest, actor: Actor) -> RemovalSituation:
    """What the rule for the second person looks at."""
    owned, copy = removal.owned_branch, removal.safety_copy
    undo = undo_that_needs(owned) if owned is not None else None
    return RemovalSituation(
        actor=actor,
        asked_by=removal.asked_by_id,
        is_answered=removal.confirmed_at is not None or removal.dropped_at is not None,
        is_gone=(owned is not None and owned.fate == BranchFate.GONE)
        or (copy is not None and copy.state != CopyState.MADE),
        is_needed_by=undo.reference if undo else "",
    )


def _settle_decision(removal: RemovalRequest, actor: Actor) -> None:
    """Two people have decided what becomes of the state before; the restore's list asks for no more."""
    request = removal.owned_branch.request if removal.owned_branch else None
    found = Checklist.objects.filter(request=request).first() if request else None
    if found is None:
        return
    checklist = lock_checklist(found.pk)
    point = checklist.points.select_for_update().filter(code=PointCode.KEPT, state=PointState.OPEN).first()
    if point is not None:
        words = "Two people agreed to delete it."
        change_point(checklist, point, state=PointState.DONE, actor=actor, user_id=account_of(actor), sentence=words)


def _ask(
    actor: Actor, owned: OwnedBranch | None, copy: SafetyCopy | None, reason: str, not_before: dt.datetime | None
) -> RemovalRequest:
    refuse_unless(may_remove(actor), "remove_not_allowed", _ROLE)
    kept = owned or copy
    stands = kept is not None and kept.removals.filter(dropped_at__isnull=True).exists()
    refuse_unless(not stands, "removal_open", "Somebody has asked for this already.")
    if not reason.strip():
        raise InvalidInput({"reason": "Say why it is not needed any more. No patient details, please."})
    if len(reason) > MAX_REASON_CHARACTERS:
        raise InvalidInput({"reason": f"Please use at most {MAX_REASON_CHARACTERS} characters."})
    now = database_now()
    event = record_event(
        type="removal.asked",
        actor=actor,
        target=_target(owned, copy),
        details=_about(owned, copy) | {"deadline": not_before},
        text=reason.strip(),
        sandbox=_project(owned, copy).is_sandbox,
    )
    removal = RemovalRequest.objects.create(
        owned_branch=owned,
        safety_copy=copy,
        not_before=max(now, not_before or now),
        reason=event.free_text,
        asked_by_id=account_of(actor),
        asked_by_name=actor.name,
        asked_at=now,
    )
    tell_removal_asked(removal)
    return removal


@contextmanager
def _deciding(actor: Actor, removal_id: int) -> Iterator[tuple[RemovalRequest, Actor]]:
    related = ("owned_branch__project", "owned_branch__request", "safety_copy__branch__project")
    found = RemovalRequest.objects.select_related(*related).get(pk=removal_id)
    with refusals_recorded(actor=actor, target=_target(found.owned_branch, found.safety_copy)):
        removal = RemovalRequest.objects.select_for_update(of=("self",)).select_related(*related).get(pk=removal_id)
        yield removal, with_roles_of_now(actor)


def _record(removal: RemovalRequest, type: str, actor: Actor, details: dict[str, Detail]) -> LedgerEvent:
    owned, copy = removal.owned_branch, removal.safety_copy
    about: dict[str, Detail] = {"removal": str(removal.pk), "deadline": removal.not_before}
    return record_event(
        type=type,
        actor=actor,
        target=_target(owned, copy),
        details=_about(owned, copy) | about | details,
        sandbox=_project(owned, copy).is_sandbox,
    )


def _about(owned: OwnedBranch | None, copy: SafetyCopy | None) -> dict[str, Detail]:
    if owned is not None:
        request = owned.request.reference if owned.request else None
        return {"request": request, "branch": owned.neon_branch_id or None, "branch_name": owned.name}
    return {"safety_copy": str(copy), "branch_name": copy.name if copy else None}


def _target(owned: OwnedBranch | None, copy: SafetyCopy | None) -> Target:
    project = _project(owned, copy).neon_project_id
    if owned is not None:
        return Target(kind="branch", id=owned.neon_branch_id or str(owned.pk), project=project)
    return Target(kind="safety_copy", id=str(copy), project=project)


def _project(owned: OwnedBranch | None, copy: SafetyCopy | None) -> Project:
    if owned is not None:
        return owned.project
    if copy is None:
        raise LookupError("the database lets no removal be of nothing")
    return copy.branch.project
