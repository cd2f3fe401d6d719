"""Accounts and roles. Every change of a role is an event, whoever makes it: the signals in people_events see to it."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.models import Group, User
from django.db import transaction

from backups.domain.acting import acting
from backups.domain.ledger import Target
from backups.domain.people import Actor, ActorKind, Capability, Role
from backups.models.people import UserProfile
from backups.selectors.people import is_service_account, roles_of
from backups.services.ledger import record_refusal


class PeopleRefused(Exception):
    """An account or a role was not changed. `code` is for the ledger, the message for the person."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def account_target(user_id: int) -> Target:
    return Target(kind="account", id=f"user:{user_id}")


def refusal_to_manage(actor: Actor, *, user_id: int | None) -> PeopleRefused | None:
    """Why the actor may not change this account (None: a new one), or None where he may."""
    if actor.kind is ActorKind.SYSTEM:
        return None
    if not actor.is_human or not actor.may(Capability.MANAGE_PEOPLE):
        return PeopleRefused("not_administrator", "Only an administrator changes accounts. Nothing was changed.")
    if user_id is not None and user_id == actor.user_id:
        return PeopleRefused(
            "own_account", "Nobody changes his own roles or account. Nothing was changed; ask another administrator."
        )
    return None


def set_roles(*, actor: Actor, user_id: int, roles: Collection[Role]) -> None:
    """Gives the account exactly these roles. Raises PeopleRefused, which is in the ledger by then."""
    try:
        with transaction.atomic():
            _set_roles(actor=actor, user_id=user_id, roles=roles)
    except PeopleRefused as refused:
        record_refusal(
            actor=actor, why=refused.code, target=account_target(user_id), capability=Capability.MANAGE_PEOPLE
        )
        raise


def set_service_account(*, actor: Actor, user_id: int, is_service: bool) -> None:
    """Marks an account as a program's, which takes its vote away. Raises PeopleRefused."""
    refused = refusal_to_manage(actor, user_id=user_id)
    if refused:
        record_refusal(actor=actor, why=refused.code, target=account_target(user_id))
        raise refused
    with transaction.atomic(), acting(lambda: actor):
        UserProfile.objects.update_or_create(user_id=user_id, defaults={"is_service_account": is_service})


def add_person(
    *, actor: Actor, login: str, roles: Collection[Role], email: str = "", full_name: str = "", password: str = ""
) -> User:
    """Creates an account that can log in to the portal, or takes the existing one, and gives it the roles.

    Without a password the account cannot log in until one is set. Raises PeopleRefused.
    """
    with transaction.atomic(), acting(lambda: actor):
        user = User.objects.filter(username=login).first() or _new_user(login, email, full_name, password)
        _set_roles(actor=actor, user_id=user.pk, roles={*roles_of(user), *roles})
    return user


def _new_user(login: str, email: str, full_name: str, password: str) -> User:
    first_name, _, last_name = full_name.partition(" ")
    return User.objects.create_user(
        login, email, password or None, first_name=first_name, last_name=last_name, is_staff=True
    )


def _set_roles(*, actor: Actor, user_id: int, roles: Collection[Role]) -> None:
    user = User.objects.select_for_update().get(pk=user_id)
    refused = refusal_to_manage(actor, user_id=user_id) or _refusal_of_roles(user, roles)
    if refused:
        raise refused
    wanted = Group.objects.filter(name__in=[role.label for role in roles])
    others = user.groups.exclude(name__in=[role.label for role in Role])
    with acting(lambda: actor):
        user.groups.set([*wanted, *others])


def _refusal_of_roles(user: User, roles: Collection[Role]) -> PeopleRefused | None:
    if Role.MANAGER in roles and is_service_account(user):
        return PeopleRefused("service_account", "A program does not vote. Nothing was changed; choose another role.")
    return None
