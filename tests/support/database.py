"""One PostgreSQL server for the run, and databases in it that are copies of one migrated template.

Events cannot be deleted or truncated, so the usual way of cleaning up after a test that commits is closed. Tests
that roll back share one database (pytest-django's `db`); a test that commits gets its own copy (`own_database`).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections
from psycopg import sql

from carecircle_ops.environment import database as database_config
from neon_sandbox.plain import PlainPostgres
from neon_sandbox.testing import running_postgres

TEMPLATE = "carecircle_template"
SHARED = "carecircle_shared"
OWNER, OWNER_PASSWORD = "portal_owner", "owner-password-of-tests"
WEB, WEB_PASSWORD = "portal_web", "web-password-of-tests"
SEALER, SEALER_PASSWORD = "portal_sealer", "sealer-password-of-tests"

RunSql = Callable[..., list[tuple[Any, ...]]]


@dataclass(frozen=True)
class PortalDatabases:
    """Makes copies of the template and knows their addresses."""

    server: PlainPostgres
    numbers: Iterator[int]

    def web_url(self, name: str) -> str:
        return _as_user(self.server.url(name), WEB, WEB_PASSWORD)

    def owner_url(self, name: str) -> str:
        return _as_user(self.server.url(name), OWNER, OWNER_PASSWORD)

    def sealer_url(self, name: str) -> str:
        return _as_user(self.server.url(name), SEALER, SEALER_PASSWORD)

    def administrate(self, *statements: sql.Composed, database: str = "postgres") -> None:
        with psycopg.connect(self.server.url(database), autocommit=True) as administrator:
            for statement in statements:
                administrator.execute(statement)

    def copy(self, name: str) -> None:
        self.administrate(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(TEMPLATE), sql.Identifier(OWNER)
            ),
            # Rights on a database itself are not copied with it.
            sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(sql.Identifier(name), sql.Identifier(WEB)),
        )

    def drop(self, name: str) -> None:
        self.administrate(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def temporary_copy(self) -> Iterator[str]:
        name = f"carecircle_copy_{next(self.numbers)}"
        self.copy(name)
        try:
            yield name
        finally:
            self.drop(name)


@dataclass(frozen=True)
class OwnDatabase:
    """A database that only this test uses. Django is connected to it as the web role."""

    name: str
    url: str
    owner_url: str
    superuser_url: str
    sealer_url: str


@pytest.fixture(scope="session")
def portal_databases() -> Iterator[PortalDatabases]:
    with running_postgres() as server:
        yield PortalDatabases(server=server, numbers=itertools.count(1))


@pytest.fixture(scope="session")
def django_db_setup(portal_databases: PortalDatabases, django_db_blocker: Any) -> Iterator[None]:
    """Takes the place of pytest-django's: migrates as the owner, connects as the web role."""
    with django_db_blocker.unblock():
        _make_template(portal_databases)
        portal_databases.copy(SHARED)
        point_django_at(portal_databases.web_url(SHARED))
    yield
    connections.close_all()


@pytest.fixture
def own_database(
    portal_databases: PortalDatabases, django_db_setup: None, django_db_blocker: Any
) -> Iterator[OwnDatabase]:
    """For tests that commit, use threads, or start processes. Costs about 50 ms."""
    with portal_databases.temporary_copy() as name, django_db_blocker.unblock():
        point_django_at(portal_databases.web_url(name))
        try:
            yield OwnDatabase(
                name=name,
                url=portal_databases.web_url(name),
                owner_url=portal_databases.owner_url(name),
                superuser_url=portal_databases.server.url(name),
                sealer_url=portal_databases.sealer_url(name),
            )
        finally:
            point_django_at(portal_databases.web_url(SHARED))


@pytest.fixture
def as_owner(own_database: OwnDatabase) -> RunSql:
    """Runs one statement as the owner of the tables: for what the web role must not be able to do."""
    return _runner(own_database.owner_url)


@pytest.fixture
def as_superuser(portal_databases: PortalDatabases) -> RunSql:
    """Runs one statement as the server's administrator, from another database: for accidents."""
    return _runner(portal_databases.server.url("postgres"))


def _runner(url: str) -> RunSql:
    def run(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    return run


def point_django_at(url: str) -> None:
    """From now on every thread of this process connects there."""
    connections.close_all()
    target = database_config(url)
    # One dictionary is shared by the connections of all threads.
    for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT"):
        connection.settings_dict[key] = target[key]
    connection.settings_dict["OPTIONS"] |= target.get("OPTIONS", {})
    connection.settings_dict["TEST"]["NAME"] = target["NAME"]


def _make_template(databases: PortalDatabases) -> None:
    """As an installation does it: the owner migrates, then makes the role for everything else."""
    databases.administrate(
        sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(_name(OWNER), OWNER_PASSWORD),
        sql.SQL("CREATE DATABASE {} OWNER {}").format(_name(TEMPLATE), _name(OWNER)),
    )
    point_django_at(databases.owner_url(TEMPLATE))
    os.environ["DATABASE_URL"] = databases.web_url(TEMPLATE)
    call_command("migrate", verbosity=0)
    os.environ["LEDGER_DATABASE_URL"] = databases.sealer_url(TEMPLATE)
    call_command("setup_roles", verbosity=0)
    del os.environ["LEDGER_DATABASE_URL"]  # no process but the sealer's has it
    connections.close_all()
    # Whether it looked at the table while it was empty, because a test had rolled back, would decide later plans.
    databases.administrate(
        sql.SQL("ALTER TABLE backups_ledgerevent SET (autovacuum_enabled = off)").format(), database=TEMPLATE
    )


def _name(text: str) -> sql.Identifier:
    return sql.Identifier(text)


def _as_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:{quote(password)}@{place}"))
