"""Administrators manage people; nobody manages himself."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from backups.domain.people import Role
from backups.models import LedgerEvent
from backups.selectors.people import is_service_account, roles_of
from tests.factories import PASSWORD, Person

pytestmark = pytest.mark.django_db
LIST, ADD = "admin:auth_user_changelist", "admin:auth_user_add"


def browser(person: Person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


def form(user: User, **changed: Any) -> dict[str, Any]:
    return {
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "is_active": "on",
        "roles": [role.value for role in roles_of(user)],
    } | changed


def change(user: User) -> str:
    return reverse("admin:auth_user_change", args=(user.pk,))


@pytest.mark.parametrize(
    ("who", "sees", "adds"),
    [
        ("erin", 200, 200),
        ("dana", 200, 403),
        ("bob", 200, 403),
        ("alice", 403, 403),
        ("charlie", 302, 302),
        (None, 302, 302),
    ],
)
def test_who_sees_and_who_adds_accounts(people, who, sees, adds):
    client = browser(getattr(people, who)) if who else Client()
    assert client.get(reverse(LIST)).status_code == sees
    assert client.get(change(people.carol.user)).status_code == sees
    assert client.get(reverse(ADD)).status_code == adds


@pytest.mark.parametrize("who", ["alice", "bob", "dana"])
def test_nobody_else_changes_an_account(people, who):
    charlie = people.charlie.user
    response = browser(getattr(people, who)).post(change(charlie), form(charlie, roles=["manager"]))
    assert response.status_code == 403
    assert roles_of(charlie) == ()


def test_an_administrator_gives_a_role(people):
    charlie = people.charlie.user
    response = browser(people.erin).post(change(charlie), form(charlie, roles=["manager", "auditor"]))
    assert response.status_code == 302
    assert roles_of(charlie) == (Role.AUDITOR, Role.MANAGER)
    granted = LedgerEvent.objects.filter(type="access.role_granted", target_id=f"user:{charlie.pk}")
    assert {event.actor_ref for event in granted} == {people.erin.actor.ref}
    assert all(event.web_request for event in granted)


def test_an_administrator_adds_a_person(people):
    fields = {"username": "olga", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    response = browser(people.erin).post(reverse(ADD), fields | {"roles": ["engineer"]})
    assert response.status_code == 302, response.context["errors"]
    olga = User.objects.get(username="olga")
    assert roles_of(olga) == (Role.ENGINEER,)
    assert not olga.is_superuser
    assert Client().login(username="olga", password=PASSWORD)


def test_nobody_changes_his_own_account(people):
    erin = people.erin.user
    client = browser(people.erin)
    response = client.post(change(erin), form(erin, roles=["administrator", "manager"]))
    assert response.status_code == 403
    assert roles_of(erin) == (Role.ADMINISTRATOR,)
    assert "checkbox" not in client.get(change(erin)).content.decode()


def test_a_form_cannot_make_a_superuser_or_name_groups(people):
    charlie = people.charlie.user
    smuggled = {"is_superuser": "on", "is_staff": "on", "groups": ["1", "2", "3", "4"], "user_permissions": ["1"]}
    browser(people.erin).post(change(charlie), form(charlie, **smuggled))
    charlie.refresh_from_db()
    assert not charlie.is_superuser
    assert roles_of(charlie) == ()
    assert not charlie.user_permissions.exists()


def test_an_account_of_a_program(people):
    charlie = people.charlie.user
    client = browser(people.erin)
    refused = client.post(change(charlie), form(charlie, roles=["manager"], is_service_account="on"))
    assert "A program does not vote" in refused.content.decode()
    assert not is_service_account(charlie)
    assert client.post(change(charlie), form(charlie, roles=["engineer"], is_service_account="on")).status_code == 302
    assert is_service_account(charlie)


def test_a_manager_made_a_program_loses_the_role_or_nothing_happens(people):
    """The role is refused together with the mark, so an account is never both."""
    bob = people.bob.user
    response = browser(people.erin).post(change(bob), form(bob, is_service_account="on"))
    assert "A program does not vote" in response.content.decode()
    assert not is_service_account(bob)


def test_no_account_is_deleted(people):
    charlie = people.charlie.user
    url = reverse("admin:auth_user_delete", args=(charlie.pk,))
    assert browser(people.erin).post(url, {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=charlie.pk).exists()


def test_groups_have_no_page(people):
    assert "/group/" not in browser(people.erin).get(reverse("admin:index")).content.decode()


def test_a_password_is_shown_to_nobody(people):
    for who in (people.erin, people.dana):
        page = browser(who).get(change(people.carol.user)).content.decode()
        assert people.carol.user.password not in page
        assert people.carol.user.password.split("$")[-1] not in page


def test_the_list_costs_the_same_however_many_people(people, django_assert_max_num_queries):
    assert people.all()
    client = browser(people.erin)
    client.get(reverse(LIST))
    with django_assert_max_num_queries(10):
        client.get(reverse(LIST))
