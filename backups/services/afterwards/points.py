"""Settling what is left after a restore: by a person who says so, or by the portal that saw it."""

from __future__ import annotations

import datetime as dt

from backups.domain.afterwards import KnownBy, PointCode, PointState
from backups.domain.afterwards_rules import keep_error, settle_refusal
from backups.domain.people import Actor, Capability
from backups.ledger.fields import Detail
from backups.models import Checklist, ChecklistPoint
from backups.selectors.clock import database_now
from backups.selectors.people import people_with
from backups.services.afterwards.records import need, record_after, refuse, working_on
from backups.services.restore.errors import InvalidInput

MAX_REASON_CHARACTERS = 2000
_ROLE = "Your role does not let you work on what is left after a restore."


def settle_point(*, actor: Actor, point_id: int, state: PointState, reason: str = "") -> ChecklistPoint:
    """A person says that a point is done, not needed (with a reason), or open again. Raises Refused, InvalidInput."""
    found = ChecklistPoint.objects.get(pk=point_id)
    with working_on(actor=actor, checklist_id=found.checklist_id) as (checklist, person):
        user_id = need(person, Capability.WORK_AFTERWARDS, _ROLE)
        point = ChecklistPoint.objects.select_for_update().get(pk=point_id)
        standing = PointState(point.state)
        refuse(settle_refusal(person, code=PointCode(point.code), state=standing, wanted=state), "settle_not_allowed")
        _check_reason(state, reason)
        change_point(checklist, point, state=state, actor=person, user_id=user_id, reason=reason.strip())
        return point


def keep_state_before(*, actor: Actor, checklist_id: int, until: dt.datetime | None, owner_id: int) -> Checklist:
    """Decides how long the state before the restore is kept and who answers for it; nothing is deleted by that.

    Raises Refused, InvalidInput.
    """
    with working_on(actor=actor, checklist_id=checklist_id) as (checklist, person):
        user_id = need(person, Capability.WORK_AFTERWARDS, _ROLE)
        _check_keep(checklist, until, owner_id)
        owner = people_with(Capability.WORK_AFTERWARDS).get(pk=owner_id)
        checklist.kept_until, checklist.kept_owner, checklist.kept_owner_name = until, owner, owner.get_username()
        checklist.save(update_fields=["kept_until", "kept_owner", "kept_owner_name"])
        details: dict[str, Detail] = {"deadline": until, "recipient": f"user:{owner_id}"}
        record_after(checklist, type="afterwards.kept_changed", actor=person, details=details)
        point = checklist.points.select_for_update().get(code=PointCode.KEPT)
        if point.state != PointState.DONE:
            change_point(checklist, point, state=PointState.DONE, actor=person, user_id=user_id)
        return checklist


def change_point(
    checklist: Checklist,
    point: ChecklistPoint,
    *,
    state: PointState,
    actor: Actor,
    user_id: int | None = None,
    sentence: str = "",
    reason: str = "",
    details: dict[str, Detail] | None = None,
) -> None:
    """Writes the state and its event; closes the list with its last open point. In the caller's transaction.

    Without `user_id` the portal itself saw it.
    """
    known_by = KnownBy.PERSON if user_id is not None else KnownBy.PORTAL
    told: dict[str, Detail] = {
        "point": point.code,
        "subject": point.subject or None,
        "from_state": point.state,
        "to_state": state.value,
        "means": known_by.value,
    }
    event = record_after(
        checklist, type="afterwards.point_changed", actor=actor, details=told | (details or {}), text=reason
    )
    point.state = state.value
    point.known_by = "" if state is PointState.OPEN else known_by.value
    point.changed_by_id, point.changed_by_name = user_id, actor.name if user_id is not None else ""
    point.changed_at = database_now()
    point.sentence = sentence[:300]
    point.reason = event.free_text if reason else None
    point.save()
    close_if_settled(checklist, actor)


def close_if_settled(checklist: Checklist, actor: Actor) -> None:
    """Closes the list when nothing is open any more, and opens it again when something is."""
    open_points = checklist.points.filter(state=PointState.OPEN).count()
    if open_points and checklist.closed_at is not None:
        checklist.closed_at = None
        checklist.save(update_fields=["closed_at"])
    elif not open_points and checklist.closed_at is None:
        checklist.closed_at = database_now()
        checklist.next_look_at = None
        checklist.save(update_fields=["closed_at", "next_look_at"])
        details: dict[str, Detail] = {"points": checklist.points.count()}
        record_after(checklist, type="afterwards.closed", actor=actor, details=details)


def _check_reason(state: PointState, reason: str) -> None:
    if state is PointState.NOT_NEEDED and not reason.strip():
        raise InvalidInput({"reason": "Say why it is not needed. The auditors read this; no patient details, please."})
    if len(reason) > MAX_REASON_CHARACTERS:
        raise InvalidInput({"reason": f"Please use at most {MAX_REASON_CHARACTERS} characters."})


def _check_keep(checklist: Checklist, until: dt.datetime | None, owner_id: int) -> None:
    errors = {}
    if checklist.kept_until is None:
        errors["until"] = "This restore has kept no state that could be decided on."
    elif problem := keep_error(until, database_now()):
        errors["until"] = problem
    if not people_with(Capability.WORK_AFTERWARDS).filter(pk=owner_id).exists():
        errors["owner"] = "Choose somebody who can act on it: an engineer or a manager."
    if errors:
        raise InvalidInput(errors)
