"""Who may do what inside PostgreSQL: the owner makes tables, the web role reads and writes them, the sealer's role
adds to the tree, and no process can change an event. Outside the migrations: roles belong to the whole server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.db import DatabaseError, connection, transaction
from psycopg import sql

from backups.models.database_rules import (
    APPEND_ONLY,
    ERASABLE,
    SEALER_READS,
    SEALER_WRITTEN,
    SET_ONCE,
    TRIGGER_WRITTEN,
)
from backups.selectors.ledger import guard_findings

logger = logging.getLogger(__name__)

# What the web role loses on each kind of guarded table. UPDATE on the last two is bounded by their triggers.
_TAKEN: dict[str, str] = {
    **dict.fromkeys(APPEND_ONLY, "UPDATE, DELETE, TRUNCATE"),
    **dict.fromkeys((*SET_ONCE, *ERASABLE), "DELETE, TRUNCATE"),
    **dict.fromkeys((*TRIGGER_WRITTEN, *SEALER_WRITTEN), "INSERT, UPDATE, DELETE, TRUNCATE"),
    # What the monitor found, who agreed to what, and who took what out is closed or decided and never removed.
    **dict.fromkeys(
        ("backups_finding", "backups_planproposal", "backups_ledgerexport", "backups_ledgerverification"),
        "DELETE, TRUNCATE",
    ),
    # The web process has no business with the history of migrations.
    "django_migrations": "INSERT, UPDATE, DELETE, TRUNCATE",
}


@dataclass(frozen=True, slots=True)
class DatabaseRole:
    """The role in DATABASE_URL, or in LEDGER_DATABASE_URL."""

    name: str
    password: str = field(repr=False)


def configured_web_role() -> DatabaseRole | None:
    """The role in DATABASE_URL, read from the environment: the connection itself may be the owner's."""
    return _role_in("DATABASE_URL")


def configured_sealer_role() -> DatabaseRole | None:
    """The role in LEDGER_DATABASE_URL."""
    return _role_in("LEDGER_DATABASE_URL")


def _role_in(variable: str) -> DatabaseRole | None:
    file_name = os.environ.get(f"{variable}_FILE")
    text = Path(file_name).read_text(encoding="utf-8") if file_name else os.environ.get(variable, "")
    url = urlsplit(text.strip())
    return DatabaseRole(name=unquote(url.username), password=unquote(url.password or "")) if url.username else None


def current_database_role() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user::text")
        return str(cursor.fetchone()[0])


def set_up_web_role(role: DatabaseRole) -> list[str]:
    """Makes the role where it is missing and gives it exactly its rights. Returns what was done, a line each.

    Run as the owner of the tables, after each migration. Raises ProgrammingError when the owner may not make roles
    and the role is missing.
    """
    with transaction.atomic():
        return [*_ensure_role(role), *grant_web_rights(role.name)]


def set_up_sealer_role(role: DatabaseRole) -> list[str]:
    """As set_up_web_role, for the process that seals the ledger: it reads events and adds to the tree."""
    with transaction.atomic():
        done = [*_ensure_role(role)]
        for statement in _sealer_grants(role.name):
            _run(statement)
        return [*done, f"{role.name} reads events and writes the tree, and nothing else."]


def grant_web_rights(name: str) -> list[str]:
    """Gives an existing role its rights on the tables that there are, and on those that the owner will make."""
    done: list[str] = []
    for statement, line in _grants(name):
        _run(statement)
        if line:
            done.append(line)
    return done


def say_at_start_what_is_unguarded() -> None:
    """A loud line in the log for each thing that would let this process change an event; the start goes on."""
    try:
        findings = guard_findings(role=current_database_role())
    except DatabaseError:
        return  # /readyz tells of a database that does not answer
    for finding in findings:
        logger.warning("The ledger is not guarded: %s", finding)


def role_exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        return cursor.fetchone() is not None


def _ensure_role(role: DatabaseRole) -> Iterator[str]:
    if role_exists(role.name):
        yield f"Role {role.name} was there already; its password was left as it is."
        return
    options = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
    password = sql.SQL("PASSWORD {}").format(sql.Literal(_scram(role))) if role.password else sql.SQL("")
    _run(sql.SQL("CREATE ROLE {} {} {}").format(sql.Identifier(role.name), options, password))
    yield f"Role {role.name} was made."


def _scram(role: DatabaseRole) -> str:
    """The password as the server stores it: the plain one would stand in the server's log of statements."""
    connection.ensure_connection()
    line: bytes = connection.connection.pgconn.encrypt_password(
        role.password.encode(), role.name.encode(), b"scram-sha-256"
    )
    return line.decode()


def _grants(name: str) -> Iterator[tuple[sql.Composable, str]]:
    web, schema, database = sql.Identifier(name), _schema(), sql.Identifier(_database_name())
    yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, web), ""
    yield sql.SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC").format(schema), ""
    yield (
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, web),
        f"{name} reads and writes the portal's tables.",
    )
    yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(schema, web), ""
    yield sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} TO {}").format(schema, web), ""
    yield sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {} TO {}").format(schema, web), ""
    yield from _future_grants(web, schema)
    for table in _existing(_TAKEN):
        revoke = sql.SQL("REVOKE {} ON {} FROM {}")
        yield (
            revoke.format(sql.SQL(_TAKEN[table]), sql.Identifier(table), web),
            f"{name} has no {_TAKEN[table]} on {table}.",
        )


def _sealer_grants(name: str) -> Iterator[sql.Composable]:
    sealer, schema, database = sql.Identifier(name), _schema(), sql.Identifier(_database_name())
    yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sealer)
    yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, sealer)
    yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(schema, sealer)
    for table, rights in {**dict.fromkeys(SEALER_READS, "SELECT"), **SEALER_WRITTEN}.items():
        yield sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), sql.Identifier(table), sealer)
    # Its own rows get their numbers from identity columns, which ask for no right on a sequence.
    yield sql.SQL("REVOKE ALL ON ALL SEQUENCES IN SCHEMA {} FROM {}").format(schema, sealer)


def _future_grants(web: sql.Composable, schema: sql.Composable) -> Iterator[tuple[sql.Composable, str]]:
    """Reading only: a table of a later migration gets the rest from the run of this that follows the migration."""
    tables = sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT SELECT ON TABLES TO {}")
    yield tables.format(schema, web), ""


def _existing(tables: dict[str, str]) -> list[str]:
    known = set(connection.introspection.table_names())
    return [table for table in tables if table in known]


def _schema() -> sql.Identifier:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        return sql.Identifier(cursor.fetchone()[0])


def _database_name() -> str:
    return str(connection.settings_dict["NAME"])


def _run(statement: sql.Composable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
