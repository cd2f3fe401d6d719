"""Acts on accounts, which Django's own pages offer, and the addresses for programs."""

from __future__ import annotations

from typing import Any

from backups.domain.people import Role
from backups.selectors.people import roles_of
from tests.factories import PASSWORD
from tests.support.commands.world import NOTHING, Act, Sent, World

_NEW_PASSWORD = {"password1": "another-password-of-tests-9", "password2": "another-password-of-tests-9"}


def _added(w: World) -> Sent:
    return (), {"username": "olga", "usable_password": "true", "roles": ["engineer"]} | _NEW_PASSWORD


def _given_a_role(w: World) -> Sent:
    user = w.people.carol.user
    roles = [role.value for role in (*roles_of(user), Role.AUDITOR)]
    return (user.pk,), {"username": user.username, "first_name": user.first_name, "last_name": user.last_name,
                        "email": user.email, "is_active": "on", "roles": roles}  # fmt: skip


def _renamed(w: World) -> Sent:
    arguments, fields = _given_a_role(w)
    return arguments, dict(fields) | {"first_name": "Caroline", "roles": ["manager"]}


def _own_password(w: World) -> Sent:
    new = {f"new_{name}": value for name, value in _NEW_PASSWORD.items()}
    return (), {"old_password": PASSWORD} | new


def _log_in(w: World) -> dict[str, Any]:
    return {"username": w.people.alice.user.username, "password": PASSWORD}


# fmt: off
ACTS: dict[str, Act] = {
    "admin:auth_user_add": Act("erin", "access.account_created", _added, "access.role_granted",
                               wrong=NOTHING, wrong_status=200),
    "admin:auth_user_change role": Act("erin", "access.role_granted", _given_a_role, wrong=NOTHING, wrong_status=200),
    "admin:auth_user_change name": Act("erin", "access.account_changed", _renamed),
    "admin:auth_user_password_change": Act("erin", "access.password_changed",
                                           lambda w: ((w.people.carol.user.pk,),
                                                      {"usable_password": "true"} | _NEW_PASSWORD),
                                           wrong={"usable_password": "true", "password1": "x"}, wrong_status=200),
    "admin:password_change": Act("alice", "access.password_changed", _own_password, wrong=NOTHING, wrong_status=200),
    "admin:login": Act(None, "access.login", lambda w: ((), _log_in(w)),
                       wrong={"username": "alice", "password": "wrong"}, wrong_status=200,
                       refused="access.login_failed"),
    "admin:logout": Act("alice", "access.logout", lambda w: ((), {})),
}
# fmt: on
