"""Accounts and roles. Every change of a role is an event, whoever makes it: the signals in people_events see to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.contrib.auth.models import Group, User
from django.db import transaction

from backups.domain.acting import acting
from backups.domain.ledger import Target
from backups.domain.people import Actor, ActorKind, Capability, Role
from backups.models.people import UserProfile
from backups.selectors.people import is_service_account as _is_service_account
from backups.selectors.people import roles_of
from backups.services.ledger import record_refusal


def account_target(user_id: int) -> Target:
    return Target(kind="account", id=f"user:{user_id}")


class PeopleRefused(Exception):
    """An account or a role was not changed. `code` is for the ledger, the message for the person."""

    def __init__(self, code: str, sentence: str, *, user_id: int | None) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.target = account_target(user_id) if user_id else Target(kind="account", id="new")


def refusal_to_manage(actor: Actor, *, user_id: int | None) -> PeopleRefused | None:
    """Why the actor may not change this account (None: a new one), or None where he may."""
    if actor.kind is ActorKind.SYSTEM:
        return None
    if not actor.is_human or not actor.may(Capability.MANAGE_PEOPLE):
        return PeopleRefused(
            "not_administrator", "Only an administrator changes accounts. Nothing was changed.", user_id=user_id
        )
    if user_id is not None and user_id == actor.user_id:
        return PeopleRefused(
            "own_account",
            "Nobody changes his own roles or account. Nothing was changed; ask another administrator.",
            user_id=user_id,
        )
    return None


def set_roles(*, actor: Actor, user_id: int, roles: Collection[Role]) -> None:
    """Gives the account exactly these roles. Raises PeopleRefused, which is in the ledger by then."""
    with _refusals_recorded(actor):
        change_person(actor=actor, user_id=user_id, roles=roles)


def set_service_account(*, actor: Actor, user_id: int, is_service: bool) -> None:
    """Says whether the account is a program's, which takes its vote away. Raises PeopleRefused, as set_roles does."""
    with _refusals_recorded(actor):
        change_person(actor=actor, user_id=user_id, is_service_account=is_service)


@contextmanager
def _refusals_recorded(actor: Actor) -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except PeopleRefused as refused:
        record_people_refusal(actor=actor, refused=refused)
        raise


def change_person(
    *, actor: Actor, user_id: int, roles: Collection[Role] | None = None, is_service_account: bool | None = None
) -> None:
    """Changes roles and kind of an account inside the caller's transaction; what is None stays.

    Raises PeopleRefused; the caller rolls back and then calls record_people_refusal.
    """
    user = User.objects.select_for_update().get(pk=user_id)
    refused = refusal_to_manage(actor, user_id=user_id)
    if refused:
        raise refused
    with acting(lambda: actor):
        if is_service_account is not None:
            UserProfile.objects.update_or_create(user=user, defaults={"is_service_account": is_service_account})
        if roles is not None:
            _give_exactly(user, roles)


def record_people_refusal(*, actor: Actor, refused: PeopleRefused) -> None:
    record_refusal(actor=actor, why=refused.code, target=refused.target, capability=Capability.MANAGE_PEOPLE)


def add_person(
    *,
    actor: Actor,
    login: str,
    roles: Collection[Role],
    email: str = "",
    full_name: str = "",
    password: str = "",
    is_service_account: bool = False,
) -> User:
    """Creates an account that can log in to the portal, or takes the existing one, and adds the roles.

    Without a password the account cannot log in until one is set. Raises PeopleRefused.
    """
    with _refusals_recorded(actor), acting(lambda: actor):
        user = User.objects.filter(username=login).first() or _new_user(login, email, full_name, password)
        change_person(
            actor=actor,
            user_id=user.pk,
            roles={*roles_of(user), *roles},
            is_service_account=is_service_account or None,
        )
    return user


def _new_user(login: str, email: str, full_name: str, password: str) -> User:
    first_name, _, last_name = full_name.partition(" ")
    return User.objects.create_user(
        login, email, password or None, first_name=first_name, last_name=last_name, is_staff=True
    )


def _give_exactly(user: User, roles: Collection[Role]) -> None:
    if Role.MANAGER in roles and _is_service_account(user):
        raise PeopleRefused(
            "service_account", "A program does not vote. Nothing was changed; choose another role.", user_id=user.pk
        )
    wanted = Group.objects.filter(name__in=[role.label for role in roles])
    others = user.groups.exclude(name__in=[role.label for role in Role])
    user.groups.set([*wanted, *others])
