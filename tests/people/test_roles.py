"""Roles: who holds them, since when, and that no way of giving one goes unseen."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection

from backups.domain.people import Capability, Role
from backups.models import LedgerEvent, RoleMembership
from backups.selectors.clock import database_now
from backups.selectors.people import actor_of, held_role_since, is_service_account, people_with, roles_of
from backups.services.people import PeopleRefused, add_person, set_roles, set_service_account
from backups.services.people_groups import synchronise_groups
from tests.factories import person

pytestmark = pytest.mark.django_db


def events(*types: str) -> list[LedgerEvent]:
    return list(LedgerEvent.objects.filter(type__in=types).order_by("recorded_at", "id"))


def since(user: User) -> datetime:
    moment = held_role_since(user, Role.MANAGER)
    assert moment is not None
    return moment


def test_groups_are_there_after_a_migration_and_carry_what_the_matrix_says():
    assert set(Group.objects.values_list("name", flat=True)) == {role.label for role in Role}
    auditors = set(Group.objects.get(name="Auditor").permissions.values_list("codename", flat=True))
    assert "view_ledgerevent" in auditors
    assert not {name for name in auditors if not name.startswith("view_")}


def test_a_permission_added_by_hand_is_taken_back():
    group = Group.objects.get(name="Engineer")
    group.permissions.add(Permission.objects.get(codename="change_user"))
    synchronise_groups()
    assert not group.permissions.filter(codename="change_user").exists()


def test_being_a_superuser_gives_nothing():
    root = User.objects.create_superuser("root", password="x" * 20)
    assert roles_of(root) == ()
    assert not any(actor_of(root).may(capability) for capability in Capability)


def test_an_account_that_is_switched_off_holds_no_role(people):
    people.bob.user.is_active = False
    people.bob.user.save()
    assert roles_of(people.bob.user) == ()
    assert people.bob.user not in people_with(Capability.VOTE_ON_RESTORE)


def test_the_date_of_a_role_is_the_databases(people):
    before = database_now()
    user = person("olga", Role.MANAGER).user
    assert before < since(user) < database_now()
    assert held_role_since(user, Role.AUDITOR) is None


def test_a_role_that_is_given_again_starts_again(people):
    bob = people.bob.user
    before = database_now()
    bob.groups.clear()
    assert held_role_since(bob, Role.MANAGER) is None
    bob.groups.add(Group.objects.get(name="Manager"))
    assert since(bob) > before
    assert [held.until is None for held in RoleMembership.objects.filter(user=bob).order_by("since")] == [False, True]


def test_giving_a_role_that_is_held_changes_nothing(people):
    first = since(people.bob.user)
    people.bob.user.groups.add(Group.objects.get(name="Manager"))
    set_roles(actor=people.erin.actor, user_id=people.bob.user.pk, roles={Role.MANAGER})
    assert since(people.bob.user) == first
    assert not events("access.role_revoked")


def test_who_can_vote_is_who_held_the_role_before(people):
    assert people.bob
    moment = database_now()
    assert people.carol
    assert [user.username for user in people_with(Capability.VOTE_ON_RESTORE)] == ["bob", "carol"]
    assert [user.username for user in people_with(Capability.VOTE_ON_RESTORE, held_since_before=moment)] == ["bob"]


def test_an_account_of_a_program_never_votes(people):
    set_service_account(actor=people.erin.actor, user_id=people.bob.user.pk, is_service=True)
    assert is_service_account(people.bob.user)
    assert not people.bob.actor.is_human
    assert people.bob.user not in people_with(Capability.VOTE_ON_RESTORE)
    (changed,) = events("access.account_changed")
    assert changed.members["data"]["service_account"] is True


def test_a_program_cannot_be_made_a_manager(people):
    robot = add_person(actor=people.erin.actor, login="robot", roles={Role.ENGINEER}, is_service_account=True)
    with pytest.raises(PeopleRefused, match="does not vote"):
        set_roles(actor=people.erin.actor, user_id=robot.pk, roles={Role.MANAGER})
    assert roles_of(robot) == (Role.ENGINEER,)
    assert events("access.refused")[-1].members["data"]["refused"] == "service_account"


# --- Who may give roles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["alice", "bob", "dana", "charlie"])
def test_only_an_administrator_gives_roles(people, who):
    actor = getattr(people, who).actor
    charlie = people.charlie.user
    with pytest.raises(PeopleRefused, match="Only an administrator"):
        set_roles(actor=actor, user_id=charlie.pk, roles={Role.MANAGER})
    assert roles_of(charlie) == ()
    refused = events("access.refused")[-1]
    assert (refused.actor_ref, refused.target_id) == (actor.ref, f"user:{charlie.pk}")
    assert refused.members["data"] == {"capability": "manage_people", "refused": "not_administrator"}


def test_nobody_gives_himself_a_role(people):
    with pytest.raises(PeopleRefused, match="his own"):
        set_roles(actor=people.erin.actor, user_id=people.erin.user.pk, roles={Role.ADMINISTRATOR, Role.MANAGER})
    assert roles_of(people.erin.user) == (Role.ADMINISTRATOR,)


def test_nobody_makes_an_account_by_way_of_a_refusal(people):
    with pytest.raises(PeopleRefused):
        add_person(actor=people.alice.actor, login="mallory", roles={Role.MANAGER})
    assert not User.objects.filter(username="mallory").exists()


# --- Events ----------------------------------------------------------------------------------------------------


def test_a_role_given_and_taken_is_two_events_that_name_the_giver(people):
    erin, charlie = people.erin.actor, people.charlie.user
    set_roles(actor=erin, user_id=charlie.pk, roles={Role.AUDITOR})
    set_roles(actor=erin, user_id=charlie.pk, roles=set())
    told = [event for event in events("access.role_granted", "access.role_revoked") if event.actor_ref == erin.ref]
    assert [(event.type, event.members["data"]["role"], event.target_id) for event in told] == [
        ("access.role_granted", "auditor", f"user:{charlie.pk}"),
        ("access.role_revoked", "auditor", f"user:{charlie.pk}"),
    ]


@pytest.mark.parametrize(
    "give",
    [
        lambda user, group: user.groups.add(group),
        lambda user, group: user.groups.set([group]),
        lambda user, group: group.user_set.add(user),
        lambda user, group: group.user_set.set([user]),
    ],
    ids=["add", "set", "from the group", "set from the group"],
)
@pytest.mark.parametrize(
    "take",
    [
        lambda user, group: user.groups.remove(group),
        lambda user, group: user.groups.clear(),
        lambda user, group: group.user_set.remove(user),
        lambda user, group: group.user_set.clear(),
    ],
    ids=["remove", "clear", "from the group", "clear the group"],
)
def test_every_way_through_django_is_an_event(people, give, take):
    group, user = Group.objects.get(name="Auditor"), people.charlie.user
    give(user, group)
    assert [event.members["data"]["role"] for event in events("access.role_granted")] == ["auditor"]
    take(user, group)
    assert [event.members["data"]["role"] for event in events("access.role_revoked")] == ["auditor"]
    assert events("access.role_granted")[0].actor_ref == "system:command-line"


def test_taking_a_role_that_is_not_held_is_no_event(people):
    people.charlie.user.groups.remove(Group.objects.get(name="Auditor"))
    assert not events("access.role_revoked")


def test_an_accounts_life_is_told(people):
    user = person("olga", Role.AUDITOR).user
    user.email = "olga@elsewhere.example"
    user.is_superuser = True
    user.save()
    user.set_password("another-password-9k3")
    user.save()
    told = [event for event in events(*LIFE) if event.target_id == f"user:{user.pk}"]
    assert [event.type for event in told] == list(LIFE)
    assert told[1].members["data"]["changed_fields"] == ["email", "is_superuser"]
    assert "elsewhere" not in told[1].body


LIFE = ("access.account_created", "access.account_changed", "access.password_changed")


# --- By SQL, past Django ---------------------------------------------------------------------------------------


def sql(statement: str, *parameters: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


GIVE = "INSERT INTO auth_user_groups (user_id, group_id) SELECT %s, id FROM auth_group WHERE name = 'Manager'"


def test_a_role_given_by_sql_is_dated_like_any_other(people):
    before = database_now()
    sql(GIVE, people.charlie.user.pk)
    held = RoleMembership.objects.get(user=people.charlie.user)
    assert (held.role, held.until, held.database_user) == ("manager", None, "portal_web")
    assert held.since > before
    sql("DELETE FROM auth_user_groups WHERE user_id = %s", people.charlie.user.pk)
    held.refresh_from_db()
    assert held.until


def test_a_membership_moved_by_sql_to_another_person_ends_and_begins(people):
    bob, charlie = people.bob.user, people.charlie.user
    sql("UPDATE auth_user_groups SET user_id = %s WHERE user_id = %s", charlie.pk, bob.pk)
    assert roles_of(bob) == ()
    assert roles_of(charlie) == (Role.MANAGER,)


def test_renaming_a_group_is_giving_its_members_a_role(people):
    before = database_now()
    other = Group.objects.create(name="Choir")
    people.charlie.user.groups.add(other)
    sql("UPDATE auth_group SET name = 'Old managers' WHERE name = 'Manager'")
    sql("UPDATE auth_group SET name = 'Manager' WHERE name = 'Choir'")
    assert since(people.charlie.user) > before


def test_a_temporary_table_cannot_stand_in_for_the_groups(people):
    """The trigger's function runs with the owner's rights, and must not read what the web role made up."""
    sql("CREATE TEMPORARY TABLE auth_group (id integer, name text)")
    sql("CREATE TEMPORARY TABLE auth_user_groups (user_id integer, group_id integer)")
    sql("INSERT INTO pg_temp.auth_group VALUES (999, 'Manager')")
    sql("INSERT INTO pg_temp.auth_user_groups VALUES (%s, 999)", people.charlie.user.pk)
    sql("DELETE FROM public.auth_user_groups WHERE user_id = %s", people.charlie.user.pk)
    sql(
        "INSERT INTO public.auth_user_groups (user_id, group_id) SELECT %s, id FROM public.auth_group WHERE name = %s",
        people.charlie.user.pk,
        "Auditor",
    )
    sql("DROP TABLE pg_temp.auth_group, pg_temp.auth_user_groups")
    assert roles_of(people.charlie.user) == (Role.AUDITOR,)
