"""The frame of every act of a person: one transaction, the rules first, and a refusal that is never lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from django.contrib.auth.models import User
from django.db import transaction

from backups.domain.actions import Action, refusal
from backups.domain.ledger import Target
from backups.domain.people import Actor
from backups.domain.restore import IllegalTransition
from backups.ledger.errors import TextRefused
from backups.models import RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.people import roles_of
from backups.selectors.restore import situation_of
from backups.services.ledger import record_refusal
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.transition import lock_request, target_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Granted:
    """A locked request, the instant at which the rules were asked, and who acts."""

    request: RestoreRequest
    actor: Actor
    now: dt.datetime


def on_request(*, actor: Actor, request_id: int, action: Action, act: Callable[[Granted], T]) -> T:
    """Locks the request, asks the rules, and lets `act` make the change in the same transaction.

    Raises Refused; the refusal is in the ledger by then, written after the rollback in a transaction of its own.
    """
    target = Target(kind="restore_request", id=f"R-{request_id:04d}")
    try:
        with transaction.atomic():
            request = lock_request(request_id)
            target = target_of(request)
            granted = Granted(request=request, actor=with_roles_of_now(actor), now=database_now())
            _ask_the_rules(granted, action)
            return act(granted)
    except Refused as refused:
        _record(actor, target, refused)
        raise
    except IllegalTransition as illegal:
        no_way = Refused(action=action, code="illegal_transition", sentence=str(illegal))
        _record(actor, target, no_way)
        raise no_way from illegal
    except TextRefused as unusable:
        raise _unusable(unusable) from None


def with_roles_of_now(actor: Actor) -> Actor:
    """The actor with the roles held at this instant: those that a page was rendered with may be gone."""
    if actor.user_id is None:
        return actor
    return replace(actor, roles=roles_of(User.objects.get(pk=actor.user_id)))


def account_of(actor: Actor) -> int:
    """The actor's account. Raises Refused: what a person must do is not done by the portal itself."""
    if actor.user_id is None:
        raise Refused(action=None, code="no_account", sentence="Only somebody with an account can do this.")
    return actor.user_id


@contextmanager
def refusals_recorded(*, actor: Actor, target: Target) -> Iterator[None]:
    """For acts that have no request yet: one transaction, and a refusal is recorded after its rollback."""
    try:
        with transaction.atomic():
            yield
    except Refused as refused:
        _record(actor, target, refused)
        raise
    except TextRefused as unusable:
        raise _unusable(unusable) from None


def _unusable(text: TextRefused) -> InvalidInput:
    """What a person wrote may not be kept; the sentence names the kind of secret and never repeats it."""
    return InvalidInput({"reason": str(text)})


def _ask_the_rules(granted: Granted, action: Action) -> None:
    sentence = refusal(action, situation_of(granted.actor, granted.request, now=granted.now))
    if sentence is not None:
        raise Refused(action=action, code=f"{action.value}_not_allowed", sentence=sentence)


def _record(actor: Actor, target: Target, refused: Refused) -> None:
    details = {"request": target.id} if target.kind == "restore_request" else {}
    record_refusal(actor=actor, why=refused.code, target=target, details=details)
