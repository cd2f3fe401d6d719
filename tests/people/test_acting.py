"""Who is behind a web request: account, roles, session and address; and the events of coming and going."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.test import Client, RequestFactory
from django.urls import reverse

from backups.domain.acting import acting, current_actor
from backups.domain.people import ActorKind, Role
from backups.models import LedgerEvent
from backups.selectors.people import actor_of, client_address
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def told(type: str) -> list[LedgerEvent]:
    return list(LedgerEvent.objects.filter(type=type))


def log_in(login: str, password: str = PASSWORD, **extra: Any) -> Client:
    client = Client(**extra)
    client.post(reverse("admin:login"), {"username": login, "password": password})
    return client


def test_an_actor_carries_what_the_ledger_needs(people):
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7")
    actor = actor_of(people.bob.user, request)
    assert (actor.kind, actor.name, actor.user_id) == (ActorKind.HUMAN, "bob", people.bob.user.pk)
    assert actor.roles == (Role.MANAGER,)
    assert actor.ip == "192.0.2.7"


def test_an_actor_is_found_once_in_a_web_request(people, django_assert_num_queries):
    request, bob = RequestFactory().get("/"), people.bob.user
    with django_assert_num_queries(2):
        assert actor_of(bob, request) is actor_of(bob, request)


def test_who_is_not_logged_in_has_no_roles():
    actor = actor_of(AnonymousUser(), RequestFactory().get("/"))
    assert (actor.kind, actor.roles, actor.ref) == (ActorKind.ANONYMOUS, (), "anonymous:web")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "10.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "10.0.0.1"),
        (1, "<script>", ""),
        (1, "2001:DB8::0001", "2001:db8::1"),
    ],
)
def test_a_caller_cannot_choose_his_address(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXY_COUNT = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == address


def test_logging_in_and_out_are_events_of_one_session(people):
    client = log_in(people.bob.user.username, REMOTE_ADDR="192.0.2.7")
    key = client.session.session_key or "no session"
    client.post(reverse("admin:logout"))
    (came,), (went,) = told("access.login"), told("access.logout")
    assert came.actor_ref == went.actor_ref == people.bob.actor.ref
    assert came.members["actor"]["sess"] == went.members["actor"]["sess"]
    assert key not in came.body
    assert came.members["src"]["ip"] == "192.0.2.7"
    assert came.web_request


def test_a_refused_log_in_names_the_account_it_was_for(people):
    log_in(people.bob.user.username, "wrong")
    (refused,) = told("access.login_failed")
    assert (refused.target_id, refused.outcome) == (f"user:{people.bob.user.pk}", "denied")
    assert refused.actor_kind == "anonymous"


@pytest.mark.parametrize("typed", ["hunter2-my-password", "zero\x00byte", "x" * 300, "ünï"])
def test_what_was_typed_for_a_name_is_not_kept(people, typed):
    """People type passwords into the wrong field."""
    log_in(typed, "wrong")
    for refused in told("access.login_failed"):
        assert refused.target_id == "unknown"
        assert typed not in refused.body


def test_an_account_that_is_switched_off_cannot_log_in(people):
    User.objects.filter(pk=people.bob.user.pk).update(is_active=False)
    client = log_in("bob")
    assert "_auth_user_id" not in client.session
    assert not told("access.login")


def test_a_renewed_hash_is_no_change_of_password(people, settings):
    before = people.bob.user.password
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    set_at_creation = len(told("access.password_changed"))
    log_in("bob")
    assert User.objects.get(username="bob").password != before
    assert len(told("access.password_changed")) == set_at_creation


def test_writers_without_a_request_know_who_acts(people):
    with acting(lambda: people.erin.actor):
        people.charlie.user.groups.add(Group.objects.get(name="Auditor"))
        assert current_actor() == people.erin.actor
    assert current_actor().ref == "system:command-line"
    assert told("access.role_granted")[0].actor_ref == people.erin.actor.ref
