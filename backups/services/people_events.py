"""Events of accounts, roles and log-ins, raised by Django's signals so that no way of making the change avoids them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, User, update_last_login
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.db.models.signals import m2m_changed, post_save, pre_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from backups.domain.acting import current_actor
from backups.domain.ledger import Outcome, Target
from backups.domain.people import Role, anonymous_actor
from backups.ledger.fields import Detail
from backups.models.people import UserProfile
from backups.selectors.people import actor_of, client_address
from backups.services.ledger import record_event
from backups.services.people import account_target

_ROLE_OF_GROUP = {role.label: role for role in Role}
_WATCHED = ("username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser")


# Django writes the time of the log-in by itself; here both stand or fall together.
user_logged_in.disconnect(dispatch_uid="update_last_login")


@receiver(user_logged_in)
def _on_login(request: HttpRequest | None, user: User, **_: Any) -> None:
    with transaction.atomic():
        update_last_login(sender=type(user), user=user)
        record_event(
            type="access.login",
            actor=actor_of(user, request),
            target=account_target(user.pk),
            details={"means": "password"},
        )


@receiver(user_logged_out)
def _on_logout(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is None:
        return
    with transaction.atomic():
        record_event(type="access.logout", actor=actor_of(user, request), target=account_target(user.pk))


@receiver(user_login_failed)
def _on_failed_login(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """What was typed as a name may be a password, so an unknown name is kept as a keyed hash only."""
    typed = str(credentials.get("username", ""))
    user_id = User.objects.filter(username=typed).values_list("pk", flat=True).first()
    digest = salted_hmac("backups.login", typed, algorithm="sha256").hexdigest()
    with transaction.atomic(durable=True):
        record_event(
            type="access.login_failed",
            actor=anonymous_actor(ip=client_address(request) if request else ""),
            target=account_target(user_id) if user_id else Target(kind="account", id="unknown"),
            outcome=Outcome.DENIED,
            details={"means": "password", "login_hash": None if user_id else f"hmac:{digest[:32]}"},
        )


@receiver(m2m_changed, sender=User.groups.through)
def _on_groups(instance: User | Group, action: str, reverse: bool, pk_set: set[int] | None, **_: Any) -> None:
    """Django sends these inside the transaction of the change."""
    if action == "post_add":
        _record_roles("access.role_granted", _pairs(instance, reverse, pk_set))
    elif action in ("pre_remove", "pre_clear"):
        _record_roles("access.role_revoked", _pairs(instance, reverse, pk_set))


def _pairs(instance: User | Group, reverse: bool, pk_set: set[int] | None) -> Iterable[tuple[int, str, str]]:
    """(user id, login, group) of the memberships that are there and are meant; no set means all of them."""
    rows = User.groups.through.objects.all()
    mine, theirs = ("group_id", "user_id__in") if reverse else ("user_id", "group_id__in")
    rows = rows.filter(**{mine: instance.pk})
    if pk_set is not None:
        rows = rows.filter(**{theirs: pk_set})
    return rows.values_list("user_id", "user__username", "group__name").order_by("user_id", "group_id")


def _record_roles(type: str, pairs: Iterable[tuple[int, str, str]]) -> None:
    for user_id, login, group in pairs:
        role = _ROLE_OF_GROUP.get(group)
        if role is not None:
            record_event(
                type=type,
                actor=current_actor(),
                target=account_target(user_id),
                details={"role": role.value, "login": login},
            )


@receiver(pre_save, sender=User)
def _before_account(instance: User, update_fields: Iterable[str] | None, **_: Any) -> None:
    """Remembers what the save will change. A log-in saves nothing but its time, and is an event already."""
    instance._carecircle_changed = ()  # type: ignore[attr-defined]
    if instance._state.adding or set(update_fields or ()) == {"last_login"}:
        return
    stored = User.objects.filter(pk=instance.pk).values(*_WATCHED).first() or {}
    changed = tuple(name for name, value in stored.items() if value != getattr(instance, name))
    instance._carecircle_changed = changed  # type: ignore[attr-defined]
    # Only set_password leaves the plain text here until the save; a hash that is renewed at log-in does not.
    instance._carecircle_password_set = getattr(instance, "_password", None) is not None  # type: ignore[attr-defined]


@receiver(post_save, sender=User)
def _after_account(instance: User, created: bool, **_: Any) -> None:
    if created:
        _record_account("access.account_created", instance)
        return
    changed: tuple[str, ...] = getattr(instance, "_carecircle_changed", ())
    if changed:
        _record_account("access.account_changed", instance, changed)
    if getattr(instance, "_carecircle_password_set", False):
        instance._carecircle_password_set = False  # type: ignore[attr-defined]
        with transaction.atomic():
            record_event(type="access.password_changed", actor=current_actor(), target=account_target(instance.pk))


def _record_account(type: str, user: User, changed: tuple[str, ...] = ()) -> None:
    facts: dict[str, Detail] = {
        "login": user.username,
        "active": user.is_active,
        "staff": user.is_staff,
        "superuser": user.is_superuser,
        "changed_fields": changed or None,
    }
    with transaction.atomic():
        record_event(type=type, actor=current_actor(), target=account_target(user.pk), details=facts)


@receiver(pre_save, sender=UserProfile)
def _before_profile(instance: UserProfile, **_: Any) -> None:
    was_service = UserProfile.objects.filter(pk=instance.pk, is_service_account=True).exists()
    if was_service == instance.is_service_account:
        return
    with transaction.atomic():
        record_event(
            type="access.account_changed",
            actor=current_actor(),
            target=account_target(instance.user_id),
            details={"changed_fields": ["is_service_account"], "service_account": instance.is_service_account},
        )
