"""Every guard of the database has an attack here, by the web role, by the owner and by a superuser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from psycopg import errors

from backups.domain.ledger import Target
from backups.ledger.identifiers import utc_text
from backups.models import FreeText, LedgerEvent, RoleMembership
from backups.models.database_rules import APPEND_ONLY, ERASABLE, SEALER_WRITTEN, SET_ONCE, guards
from backups.selectors.clock import database_now
from backups.selectors.ledger import guard_findings
from backups.services.ledger import record_event
from tests.factories import People, person
from tests.support.database import SEALER, WEB, OwnDatabase
from tests.support.erasing import agreed_on

NEW_ID = "01a202e9-0117-7d0e-ad18-95853c4aff61"
REQUEST = Target(kind="restore_request", id="R-0007")
CHANGES = {
    "UPDATE": "UPDATE backups_ledgerevent SET actor_name = 'somebody else'",
    "DELETE": "DELETE FROM backups_ledgerevent",
    "TRUNCATE": "TRUNCATE backups_ledgerevent CASCADE",
    "upsert": (
        "INSERT INTO backups_ledgerevent (id, body, actor_name) SELECT id, body, actor_name FROM backups_ledgerevent "
        "ON CONFLICT (id) DO UPDATE SET actor_name = 'somebody else'"
    ),
}


@pytest.fixture
def event(own_database: OwnDatabase) -> LedgerEvent:
    with transaction.atomic():
        return record_event(
            type="request.commented", actor=person("bob").actor, target=REQUEST, details={}, text="Which table?"
        )


@pytest.fixture
def superuser(own_database: OwnDatabase) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(own_database.superuser_url, autocommit=True) as administrator:
        yield administrator


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def unchanged(event: LedgerEvent) -> bool:
    stored = LedgerEvent.objects.get(pk=event.pk)
    return (stored.body, stored.actor_name) == (event.body, "bob")


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES.keys())
def test_the_web_role_has_no_right_to_change_an_event(event, statement):
    with pytest.raises(ProgrammingError, match="permission denied"):
        run(statement)
    assert unchanged(event)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE backups_ledgerevent DISABLE TRIGGER ALL",
        "DROP TRIGGER never_changed ON backups_ledgerevent",
        "DROP TABLE backups_ledgerevent CASCADE",
        "ALTER TABLE backups_ledgerevent DROP COLUMN body",
        "CREATE TABLE mine (id integer)",
        "CREATE OR REPLACE FUNCTION ccops_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "SET session_replication_role = replica",
        "SET ROLE portal_owner",
        "SELECT ccops_sync_roles(NULL)",
        "INSERT INTO backups_rolemembership (user_id, role, since) VALUES (1, 'manager', '2020-01-01')",
        "UPDATE backups_rolemembership SET since = '2020-01-01'",
        "DELETE FROM django_migrations",
    ],
)
def test_the_web_role_cannot_take_the_guards_away(event, statement):
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        run(statement)


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("before", ["", "SET session_replication_role = replica; "], ids=["plain", "as a replica"])
def test_a_superuser_is_stopped_by_the_triggers(event, superuser, before, statement):
    with pytest.raises(errors.InsufficientPrivilege, match="never changed or removed"):
        superuser.execute((before + statement).encode())
    assert unchanged(event)


def test_the_owner_is_stopped_by_the_triggers(event, as_owner):
    with pytest.raises(errors.InsufficientPrivilege, match="never changed or removed"):
        as_owner("DELETE FROM backups_ledgerevent")
    assert unchanged(event)


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_every_append_only_table_refuses_truncate(superuser, table):
    with pytest.raises(errors.InsufficientPrivilege, match=f"TRUNCATE on {table} refused"):
        superuser.execute(f"TRUNCATE {table} CASCADE".encode())


def test_every_guard_is_always_on(superuser):
    rows = superuser.execute(
        "SELECT tgrelid::regclass::text, tgname::text FROM pg_trigger WHERE tgenabled = 'A' AND NOT tgisinternal"
    )
    assert set(guards()) <= set(rows.fetchall())


def test_the_web_roles_rights_are_what_the_catalogue_says(superuser):
    rows = superuser.execute(
        "SELECT table_name, string_agg(privilege_type, ' ' ORDER BY privilege_type) "
        "FROM information_schema.role_table_grants WHERE grantee = %s GROUP BY table_name",
        [WEB],
    )
    rights = dict(rows.fetchall())
    assert {rights[table] for table in set(APPEND_ONLY) - set(SEALER_WRITTEN)} == {"INSERT SELECT"}
    assert {rights[table] for table in SEALER_WRITTEN} == {"SELECT"}
    assert rights["backups_freetext"] == "INSERT SELECT UPDATE"
    assert rights["backups_vote"] == "INSERT SELECT UPDATE"
    assert rights["backups_rolemembership"] == rights["django_migrations"] == "SELECT"
    assert rights["backups_restorerequest"] == "DELETE INSERT SELECT UPDATE"


def test_the_sealers_rights_are_what_the_catalogue_says(superuser):
    rows = superuser.execute(
        "SELECT relname::text, string_agg(privilege_type, ' ' ORDER BY privilege_type) FROM pg_class, "
        "aclexplode(relacl) WHERE relkind = 'r' AND grantee = %s::regrole GROUP BY relname",
        [SEALER],
    )
    assert dict(rows.fetchall()) == {
        "backups_ledgerevent": "SELECT",
        "backups_ledgerleaf": "INSERT SELECT",
        "backups_ledgernode": "INSERT SELECT",
        "backups_ledgercheckpoint": "INSERT SELECT",
        "backups_anchorreceipt": "INSERT SELECT",
        "backups_sealerrefusal": "INSERT SELECT UPDATE",
        "backups_sealerheartbeat": "INSERT SELECT UPDATE",
    }


def test_every_guarded_table_is_guarded_by_rights_too(superuser):
    """Whatever table a migration gave a trigger against removal: the web role cannot remove from it, nor empty it."""
    rows = superuser.execute(
        "SELECT tgrelid::regclass::text, bool_or(has_table_privilege(%s, tgrelid, 'DELETE')), "
        "bool_or(tgrelid::regclass::text = ANY(%s)) FROM pg_trigger "
        "WHERE tgname IN ('never_changed', 'never_emptied') GROUP BY tgrelid",
        [WEB, [*APPEND_ONLY, *SET_ONCE, *ERASABLE]],
    )
    found = {table: (deletes, listed) for table, deletes, listed in rows.fetchall()}
    assert set(APPEND_ONLY) | set(SET_ONCE) | set(ERASABLE) <= found.keys()
    assert {table for table, (deletes, listed) in found.items() if deletes or not listed} == set()


def test_no_role_but_the_owner_can_empty_a_table_or_put_a_trigger_on_it(superuser):
    rows = superuser.execute(
        "SELECT relname::text, grantee, privilege_type FROM pg_class, aclexplode(relacl) "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND grantee <> relowner "
        "AND (privilege_type IN ('TRUNCATE', 'TRIGGER', 'REFERENCES') OR grantee = 0 OR is_grantable)"
    )
    assert rows.fetchall() == []


def test_the_sealer_has_no_right_on_any_sequence(superuser):
    rows = superuser.execute(
        "SELECT relname FROM pg_class, aclexplode(relacl) WHERE relkind = 'S' AND grantee = %s::regrole", [SEALER]
    )
    assert rows.fetchall() == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO backups_ledgercheckpoint (size, root, note) VALUES (1, sha256('x'), 'forged')",
        "INSERT INTO backups_ledgerleaf (index, event_id, hash) SELECT 0, id, sha256('x') FROM backups_ledgerevent",
        "UPDATE backups_sealerrefusal SET resolved_at = now(), resolved_by_name = 'me', resolution = 'fine'",
        "DELETE FROM backups_anchorreceipt",
    ],
)
def test_the_web_role_cannot_write_the_tree(event, statement):
    with pytest.raises(ProgrammingError, match="permission denied"):
        run(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO backups_ledgerevent (id, body, actor_name) VALUES (gen_random_uuid(), '{}', '')",
        "UPDATE backups_ledgerleaf SET hash = sha256('x')",
        "SELECT * FROM auth_user",
        "SELECT * FROM backups_freetext",
        "SELECT * FROM backups_project",
    ],
)
def test_the_sealer_can_do_nothing_else(event, own_database, statement):
    with (
        psycopg.connect(own_database.sealer_url, autocommit=True) as sealer,
        pytest.raises(errors.InsufficientPrivilege, match="permission denied"),
    ):
        sealer.execute(statement.encode())


def test_it_is_found_when_a_guard_is_switched_off(superuser):
    assert not guard_findings(role=WEB)
    superuser.execute("ALTER TABLE backups_ledgerevent DISABLE TRIGGER never_changed")
    assert "never_changed on backups_ledgerevent" in " ".join(guard_findings(role=WEB))
    superuser.execute("ALTER TABLE backups_ledgerevent ENABLE TRIGGER never_changed")
    assert guard_findings(role=WEB), "a trigger that is on, but not always"


def test_it_is_found_when_one_role_does_everything(own_database):
    assert "may change or remove events" in guard_findings(role="portal_owner")[0]
    assert "may change or remove events" in guard_findings(role="cloud_admin")[0]
    assert "does not exist" in guard_findings(role="nobody_at_all")[0]


# --- What an event must be when it is inserted past the service ------------------------------------------------


def insert(event: LedgerEvent, **changed: str) -> None:
    row = {"id": NEW_ID, "actor_name": "forged"}
    row["body"] = event.body.replace(str(event.pk), row["id"])
    for text, other in changed.items():
        if text != "id":
            old, _, new = other.partition("=>")
            row["body"] = row["body"].replace(old, new)
    run_with = "INSERT INTO backups_ledgerevent (id, body, actor_name) VALUES (%s, %s, %s)"
    with connection.cursor() as cursor:
        cursor.execute(run_with, [changed.get("id", row["id"]), row["body"], row["actor_name"]])


@pytest.mark.parametrize(
    ("changed", "constraint"),
    [
        ({"id": "01a202e9-0117-7d0e-ad18-000000000000"}, "event_id_is_in_its_bytes"),
        ({"gone": '"id":"=>"di":"'}, "event_id_is_in_its_bytes"),
        ({"form": "ccops.audit/1=>ccops.audit/0"}, "event_has_a_known_form"),
        ({"type": "request.commented=>"}, "event_says_what_who_and_how"),
    ],
)
def test_bytes_that_contradict_their_row_are_refused(event, changed, constraint):
    with pytest.raises(Exception, match=constraint):
        insert(event, **changed)


def test_an_event_cannot_be_dated_back(event):
    year = f'"rec":"{event.recorded_at:%Y}'
    with pytest.raises(Exception, match="time of its recording"):
        insert(event, rec=f'{year}=>"rec":"2020')


@pytest.mark.parametrize("before", ["", "SET session_replication_role = replica; "], ids=["plain", "as a replica"])
def test_a_searchable_column_cannot_be_written_apart_from_the_bytes(event, superuser, before):
    """Whatever the INSERT says, by whomever: the trigger fills every column from the bytes."""
    body = event.body.replace(str(event.pk), NEW_ID)
    if before:
        superuser.execute(before.encode())
    superuser.execute(
        "INSERT INTO backups_ledgerevent (id, body, actor_name, type, outcome, recorded_at, roles, members) "
        "VALUES (%s, %s, '', 'access.login', 'denied', '2020-01-01', '{manager}', '{}')",
        [NEW_ID, body],
    )
    stored, like = LedgerEvent.objects.get(pk=NEW_ID), LedgerEvent.objects.get(pk=event.pk)
    for column in ("type", "outcome", "recorded_at", "roles"):
        assert getattr(stored, column) == getattr(like, column)
    assert stored.members == json.loads(body)


@pytest.mark.parametrize("moment", ["now", "infinity", "2026-11-26 10:00:00.000000", "2026-11-26T10:00:00.000000+0"])
def test_a_time_that_is_not_written_as_the_ledger_writes_it_is_refused(event, moment):
    with pytest.raises(IntegrityError, match="in UTC with microseconds"):
        insert(event, rec=f'"rec":"{utc_text(event.recorded_at)}=>"rec":"{moment}')


def test_a_table_of_the_session_is_not_taken_for_a_type_of_the_server(event):
    run("CREATE TEMPORARY TABLE jsonb (type text); CREATE TEMPORARY TABLE timestamptz (type text)")
    insert(event)
    assert LedgerEvent.objects.get(pk=NEW_ID).type == "request.commented"


# --- Words -----------------------------------------------------------------------------------------------------


def test_words_can_be_erased_once_with_their_salt(event):
    with pytest.raises(Exception, match="when a second person has agreed"):
        run("UPDATE backups_freetext SET text = '', salt = '', erased_at = clock_timestamp()")
    agreed_on(FreeText.objects.get(), People())
    run("UPDATE backups_freetext SET text = '', salt = '', erased_at = clock_timestamp()")
    assert FreeText.objects.get().erased_at
    with pytest.raises(ProgrammingError, match="only be erased"):
        run("UPDATE backups_freetext SET text = 'other', salt = 'ab', erased_at = NULL")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE backups_freetext SET text = 'Approved by everybody'",
        "UPDATE backups_freetext SET text = '', erased_at = clock_timestamp()",
        "UPDATE backups_freetext SET event_id = gen_random_uuid(), text = '', salt = '', erased_at = now()",
    ],
)
def test_words_cannot_be_changed(event, statement):
    with pytest.raises(ProgrammingError, match="only be erased"):
        run(statement)
    assert FreeText.objects.get().text == "Which table?"


# --- Votes and roles -------------------------------------------------------------------------------------------


def test_a_superuser_cannot_give_a_role_an_earlier_date(event, superuser):
    superuser.execute("SET session_replication_role = replica")
    with pytest.raises(errors.InsufficientPrivilege, match="only until may be set"):
        superuser.execute("UPDATE backups_rolemembership SET since = '2020-01-01'")
    with pytest.raises(errors.InsufficientPrivilege, match="never changed or removed"):
        superuser.execute("DELETE FROM backups_rolemembership")


def test_a_superuser_who_gives_a_role_as_a_replica_gives_it_from_now(own_database, superuser):
    charlie = person("charlie").user
    before = database_now()
    superuser.execute("SET session_replication_role = replica")
    superuser.execute(
        "INSERT INTO auth_user_groups (user_id, group_id) SELECT %s, id FROM auth_group WHERE name = 'Manager'",
        [charlie.pk],
    )
    held = RoleMembership.objects.get(user=charlie)
    assert held.since > before
    assert held.database_user == "cloud_admin"
    superuser.execute("TRUNCATE auth_user_groups")
    assert not RoleMembership.objects.filter(until__isnull=True).exists()


def test_an_ended_role_is_not_revived(event, superuser):
    superuser.execute("UPDATE backups_rolemembership SET until = clock_timestamp()")
    with pytest.raises(errors.InsufficientPrivilege, match="has its value already"):
        superuser.execute("UPDATE backups_rolemembership SET until = NULL")


def test_a_vote_changes_only_by_being_taken_back_once(event, superuser):
    superuser.execute("CREATE TABLE backups_vote_like (choice text, taken_back_at timestamptz)")
    superuser.execute(
        "CREATE TRIGGER set_once BEFORE UPDATE ON backups_vote_like "
        "FOR EACH ROW EXECUTE FUNCTION ccops_set_once('taken_back_at')"
    )
    superuser.execute("INSERT INTO backups_vote_like VALUES ('reject', NULL)")
    with pytest.raises(errors.InsufficientPrivilege, match="only taken_back_at"):
        superuser.execute("UPDATE backups_vote_like SET choice = 'approve'")
    superuser.execute("UPDATE backups_vote_like SET taken_back_at = now()")
    with pytest.raises(errors.InsufficientPrivilege, match="has its value already"):
        superuser.execute("UPDATE backups_vote_like SET taken_back_at = NULL")
