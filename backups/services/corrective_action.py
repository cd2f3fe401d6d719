"""Corrective actions of drills, reviews and the log: agreed on, moved, done with proof, never forgotten in silence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TypeVar

from django.contrib.auth.models import User

from backups.domain.drill_log import DrillAct
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.ledger.fields import Detail
from backups.models import (
    CorrectiveAction,
    Drill,
    LedgerEvent,
    LogReviewItem,
    Project,
    RestoreRequest,
    RetrospectiveRecord,
)
from backups.selectors.clock import database_now
from backups.services.drill_log.governed import demand, on_drill, text_errors, words_of
from backups.services.ledger import record_event
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import account_of, refusals_recorded, with_roles_of_now

T = TypeVar("T")
MAX_TITLE_CHARACTERS = 200


def add_drill_action(*, actor: Actor, drill_id: int, title: str, owner_id: int, due_on: dt.date) -> CorrectiveAction:
    """Something that must be done because of a drill, by whom and until when. Raises Refused, InvalidInput."""
    return on_drill(
        actor=actor,
        drill_id=drill_id,
        act=DrillAct.ADD_ACTION,
        change=lambda granted: add_action_in_transaction(
            actor=granted.actor, drill=granted.drill, title=title, owner_id=owner_id, due_on=due_on
        ),
    )


def add_action_in_transaction(
    *,
    actor: Actor,
    title: str,
    owner_id: int,
    due_on: dt.date,
    drill: Drill | None = None,
    restore_request: RestoreRequest | None = None,
    record: RetrospectiveRecord | None = None,
    log_review_item: LogReviewItem | None = None,
) -> CorrectiveAction:
    """The same for a drill, for the review of a restore, by hand or not, or for an event of a log review; the caller
    has asked its rules and opened the transaction. Raises InvalidInput."""
    now = database_now()
    owner = _checked_owner(title, owner_id, due_on, now)
    action = CorrectiveAction.objects.create(
        drill=drill,
        restore_request=restore_request,
        record=record,
        log_review_item=log_review_item,
        title=title.strip(),
        owner=owner,
        owner_name=owner.get_username(),
        due_on=due_on,
        made_by_name=actor.name,
        made_at=now,
    )
    record_action(action, "action.added", actor)
    return action


def move_action(*, actor: Actor, action_id: int, owner_id: int, due_on: dt.date, reason: str) -> CorrectiveAction:
    """Gives an open action another owner or day; the reason is kept. Raises Refused, InvalidInput."""
    demand(text_errors("reason", reason, empty="Say why it moves."))
    return _on_action(actor, action_id, lambda action, acting: _move(action, acting, owner_id, due_on, reason.strip()))


def finish_action(*, actor: Actor, action_id: int, proof: str) -> CorrectiveAction:
    """Says that it is done and what shows it; by its owner or whoever may log drills. Raises Refused, InvalidInput."""
    demand(text_errors("proof", proof, empty="Say what shows that it is done: a ticket, a commit, a document."))
    return _on_action(actor, action_id, lambda action, acting: _finish(action, acting, proof.strip()))


def record_action(action: CorrectiveAction, type: str, actor: Actor, *, text: str = "", **more: Detail) -> LedgerEvent:
    """An event about the action, in the caller's transaction. Its title is a person's words and stays out of it."""
    project = project_of(action)
    details: dict[str, Detail] = {
        "action": reference_of(action),
        "drill": action.drill.reference if action.drill else None,
        "request": action.restore_request.reference if action.restore_request else None,
        "record": action.record.reference if action.record else None,
        "log_review": action.log_review_item.review.reference if action.log_review_item else None,
        "owner": f"user:{action.owner_id}",
        "due_on": action.due_on.isoformat(),
    }
    return record_event(
        type=type,
        actor=actor,
        target=Target(kind="action", id=reference_of(action), project=project.neon_project_id if project else ""),
        details=details | more,
        text=text,
        sandbox=project.is_sandbox if project else None,
        correlation=str(details["drill"] or details["request"] or details["record"] or details["log_review"]),
    )


def reference_of(action: CorrectiveAction) -> str:
    """The name that people say: A-0012."""
    return f"A-{action.pk:04d}"


def project_of(action: CorrectiveAction) -> Project | None:
    """The project that the action's drill or restore belongs to; None for a problem seen in the log."""
    if action.drill is not None:
        return action.drill.project
    if action.restore_request is not None:
        return action.restore_request.branch.project
    if action.record is not None:
        return action.record.branch.project
    return None


def may_change(action: CorrectiveAction, actor: Actor) -> bool:
    """Whether this person may move it or say that it is done; the page offers what this allows."""
    return (
        action.done_at is None
        and actor.user_id is not None
        and (actor.user_id == action.owner_id or actor.may(Capability.LOG_DRILL))
    )


def _on_action(actor: Actor, action_id: int, change: Callable[[CorrectiveAction, Actor], T]) -> T:
    with refusals_recorded(actor=actor, target=Target(kind="action", id=f"A-{action_id:04d}")):
        acting = with_roles_of_now(actor)
        account_of(acting)
        found = CorrectiveAction.objects.select_for_update(of=("self",))
        action = (
            found.select_related(
                "drill__project",
                "restore_request__branch__project",
                "record__branch__project",
                "log_review_item__review",
            )
            .filter(pk=action_id)
            .first()
        )
        if action is None:
            raise Refused(action=None, code="unknown_action", sentence="There is no such action. Nothing was changed.")
        if action.done_at is not None:
            raise Refused(action=None, code="action_is_done", sentence="This action is done already.")
        if not may_change(action, acting):
            raise Refused(
                action=None, code="action_not_yours", sentence="Its owner, or somebody who may log drills, does this."
            )
        return change(action, acting)


def _move(action: CorrectiveAction, actor: Actor, owner_id: int, due_on: dt.date, reason: str) -> CorrectiveAction:
    owner = _checked_owner(action.title, owner_id, due_on, database_now())
    before = action.due_on
    action.owner, action.owner_name, action.due_on = owner, owner.get_username(), due_on
    action.save(update_fields=["owner", "owner_name", "due_on"])
    record_action(action, "action.moved", actor, text=reason, previous_due_on=before.isoformat())
    return action


def _finish(action: CorrectiveAction, actor: Actor, proof: str) -> CorrectiveAction:
    event = record_action(action, "action.done", actor, text=proof)
    action.done_at, action.done_by_name, action.proof = database_now(), actor.name, words_of(event)
    action.save(update_fields=["done_at", "done_by_name", "proof"])
    return action


def _checked_owner(title: str, owner_id: int, due_on: dt.date, now: dt.datetime) -> User:
    """The owner's account. Raises InvalidInput with a sentence for each field that can't be used."""
    errors: dict[str, str] = {}
    if not title.strip() or len(title.strip()) > MAX_TITLE_CHARACTERS:
        errors["title"] = f"Say what is to be done, in at most {MAX_TITLE_CHARACTERS} characters."
    if due_on < now.astimezone(dt.UTC).date():
        errors["due_on"] = "This day is over (UTC)."
    owner = User.objects.filter(pk=owner_id, is_active=True).first()
    if owner is None:
        raise InvalidInput({"owner": "Choose who does it."} | errors)
    demand(errors)
    return owner
