"""manage.py setup_roles and add_person, as an administrator of an installation runs them."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from psycopg import errors, sql

from backups.checks import ledger_is_guarded
from backups.domain.people import Role
from backups.models import LedgerEvent
from backups.selectors.people import is_service_account, roles_of
from backups.services.database_roles import DatabaseRole, say_at_start_what_is_unguarded
from tests.factories import PASSWORD
from tests.support.database import OWNER, WEB, OwnDatabase, point_django_at

SECRET = "CANARY-password"
numbers = itertools.count(1)


@pytest.fixture
def new_role(own_database: OwnDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Django is the owner, and DATABASE_URL names a role that the server has never seen."""
    name = f"portal_new_{next(numbers)}"
    monkeypatch.setenv("DATABASE_URL", _url(own_database, name))
    point_django_at(own_database.owner_url)
    yield name
    with psycopg.connect(own_database.superuser_url, autocommit=True) as administrator:
        administrator.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        administrator.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def _url(database: OwnDatabase, role: str) -> str:
    return database.url.replace(f"//{WEB}:", f"//{role}:").replace("web-password-of-tests", SECRET)


def run(command: str, *arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue()


def test_a_new_role_can_work_and_cannot_touch_events(own_database, new_role):
    said = run("setup_roles")
    assert f"Role {new_role} was made." in said
    assert f"{new_role} has no UPDATE, DELETE, TRUNCATE on backups_ledgerevent." in said
    with psycopg.connect(_url(own_database, new_role), autocommit=True) as web:
        web.execute("INSERT INTO auth_group (name) VALUES ('Choir')")
        with pytest.raises(errors.InsufficientPrivilege):
            web.execute("DELETE FROM backups_ledgerevent")
        with pytest.raises(errors.InsufficientPrivilege):
            web.execute("CREATE TABLE mine (id integer)")


def test_the_password_goes_to_the_server_as_its_hash(new_role, django_capture_statements):
    said = run("setup_roles")
    assert SECRET not in said
    assert not [statement for statement in django_capture_statements if SECRET in statement]
    assert any("SCRAM-SHA-256$" in statement for statement in django_capture_statements)
    assert SECRET not in repr(DatabaseRole(name="x", password=SECRET))


def test_running_it_again_changes_nothing_and_takes_back_what_was_added(own_database, new_role):
    run("setup_roles")
    with psycopg.connect(own_database.owner_url, autocommit=True) as owner:
        owner.execute(sql.SQL("GRANT UPDATE ON backups_ledgerevent TO {}").format(sql.Identifier(new_role)))
    assert [finding.id for finding in ledger_is_guarded(databases=["default"])] == ["backups.W001"]
    assert "was there already" in run("setup_roles")
    assert not ledger_is_guarded(databases=["default"])


def test_a_table_of_a_later_migration_is_not_open_by_default(own_database, new_role):
    run("setup_roles")
    with psycopg.connect(own_database.owner_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE later (id integer)")
    with psycopg.connect(_url(own_database, new_role), autocommit=True) as web:
        assert web.execute("SELECT * FROM later").fetchall() == []
        with pytest.raises(errors.InsufficientPrivilege):
            web.execute("INSERT INTO later VALUES (1)")


def test_one_role_for_everything_is_said_loudly(own_database, monkeypatch, caplog):
    point_django_at(own_database.owner_url)
    monkeypatch.setenv("DATABASE_URL", own_database.owner_url)
    assert f"One database role does everything: {OWNER}" in run("setup_roles")
    (finding,) = ledger_is_guarded(databases=["default"])
    assert "may change or remove events" in str(finding.msg)
    say_at_start_what_is_unguarded()
    assert "may change or remove events" in caplog.text


def test_nothing_is_said_at_the_start_of_a_guarded_portal(own_database, caplog):
    say_at_start_what_is_unguarded()
    assert not caplog.text


def test_a_missing_role_is_found_before_it_is_set_up(own_database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", _url(own_database, "portal_nobody"))
    (finding,) = ledger_is_guarded(databases=["default"])
    assert "does not exist. Run setup_roles" in str(finding.msg)


def test_the_address_may_lie_in_a_file(own_database, monkeypatch, tmp_path):
    file = tmp_path / "url"
    file.write_text(own_database.owner_url + "\n")
    point_django_at(own_database.owner_url)
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    assert "One database role does everything" in run("setup_roles")


def test_an_address_without_a_role_is_refused(own_database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://127.0.0.1/portal")
    with pytest.raises(CommandError, match="names no role"):
        run("setup_roles")


def test_who_may_not_make_roles_is_told_what_to_do(own_database, monkeypatch):
    """Django is the web role here, as when MIGRATE_DATABASE_URL was forgotten."""
    monkeypatch.setenv("DATABASE_URL", _url(own_database, "portal_other"))
    with pytest.raises(CommandError, match=r"nothing was changed.*CREATE ROLE portal_other") as refused:
        run("setup_roles")
    assert SECRET not in str(refused.value)


# --- The first administrator -----------------------------------------------------------------------------------


def test_the_first_administrator(db, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    run("add_person", "erin", "--role", "administrator", "--name", "Erin Moss", "--password-stdin")
    erin = User.objects.get(username="erin")
    assert roles_of(erin) == (Role.ADMINISTRATOR,)
    assert (erin.get_full_name(), erin.is_superuser, erin.check_password(PASSWORD)) == ("Erin Moss", False, True)
    granted = LedgerEvent.objects.get(type="access.role_granted", target_id=f"user:{erin.pk}")
    assert granted.actor_ref.startswith("system:add_person@")


def test_a_role_more_for_an_account_that_is_there(db):
    run("add_person", "olga", "--role", "engineer")
    run("add_person", "olga", "--role", "auditor")
    olga = User.objects.get(username="olga")
    assert roles_of(olga) == (Role.AUDITOR, Role.ENGINEER)
    assert not olga.has_usable_password()


def test_an_account_of_a_program(db):
    run("add_person", "pipeline", "--role", "engineer", "--service")
    assert is_service_account(User.objects.get(username="pipeline"))
    with pytest.raises(CommandError, match="does not vote"):
        run("add_person", "pipeline", "--role", "manager")


def test_a_weak_password_makes_no_account(db, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(CommandError, match="No account was made"):
        run("add_person", "olga", "--role", "engineer", "--password-stdin")
    assert not User.objects.filter(username="olga").exists()


@pytest.fixture
def django_capture_statements() -> Iterator[list[str]]:
    from django.db import connection

    statements: list[str] = []

    def note(execute: Any, statement: Any, parameters: Any, many: bool, context: Any) -> Any:
        text = statement.as_string(connection.connection) if hasattr(statement, "as_string") else statement
        statements.append(f"{text} {parameters}")
        return execute(statement, parameters, many, context)

    with connection.execute_wrapper(note):
        yield statements
