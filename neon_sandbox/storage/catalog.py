"""Changes of roles and databases in a running cluster. Each may be done again after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg
from psycopg import sql

from neon_sandbox.entities import Database, Role

# What Neon's own role group may do, short of being a superuser.
_ROLE_RIGHTS = "login createdb createrole bypassrls replication"
_ROLE_GROUPS = ("pg_read_all_data", "pg_write_all_data", "pg_monitor", "pg_signal_backend")


def create_role(connection: psycopg.Connection, role: Role) -> None:
    if not _exists(connection, "select 1 from pg_roles where rolname = %s", role.name):
        connection.execute(_with_password(f"create role {{}} {_ROLE_RIGHTS} password {{}}", role))
    for group in _ROLE_GROUPS:
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(group), sql.Identifier(role.name)))


def set_passwords(connection: psycopg.Connection, roles: Sequence[Role]) -> None:
    for role in roles:
        connection.execute(_with_password("alter role {} password {}", role))


def drop_role(connection: psycopg.Connection, connect: Callable[[str], psycopg.Connection], role: Role) -> None:
    """What the role owns inside the databases passes to whoever owns the database."""
    if not _exists(connection, "select 1 from pg_roles where rolname = %s", role.name):
        return
    _cut(connection, "usename = %s", role.name)
    name = sql.Identifier(role.name)
    for database, owner in connection.execute(
        "select datname, pg_get_userbyid(datdba) from pg_database where datallowconn"
    ).fetchall():
        with connect(database) as inside:
            inside.execute(sql.SQL("reassign owned by {} to {}").format(name, sql.Identifier(owner)))
            inside.execute(sql.SQL("drop owned by {}").format(name))
    connection.execute(sql.SQL("drop role {}").format(name))


def create_database(connection: psycopg.Connection, database: Database) -> None:
    if not _exists(connection, "select 1 from pg_database where datname = %s", database.name):
        connection.execute(
            sql.SQL("create database {} owner {}").format(
                sql.Identifier(database.name), sql.Identifier(database.owner_name)
            )
        )


def change_database(connection: psycopg.Connection, name_before: str, database: Database) -> None:
    """Gives it the name and the owner that it is remembered with. Its sessions are cut when the name changes."""
    before, after = sql.Identifier(name_before), sql.Identifier(database.name)
    if name_before != database.name and not _exists(
        connection, "select 1 from pg_database where datname = %s", database.name
    ):
        _cut(connection, "datname = %s", name_before)
        connection.execute(sql.SQL("alter database {} rename to {}").format(before, after))
    connection.execute(sql.SQL("alter database {} owner to {}").format(after, sql.Identifier(database.owner_name)))


def drop_database(connection: psycopg.Connection, database: Database) -> None:
    """Its files go before the drop is committed, and replay to a time ends at the first commit behind that time. The
    commit made here is one to end at, so that a branch from before the drop has the database.
    """
    connection.execute("select pg_logical_emit_message(true, 'sandbox', 'drop')")
    connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database.name)))


def cut_sessions(connection: psycopg.Connection) -> None:
    """Ends what clients have open, as a compute does whose configuration is applied anew."""
    _cut(connection, "usename <> %s", connection.info.user)


def empty_tables(connection: psycopg.Connection) -> None:
    """Leaves the structure of one database without its rows; sequences begin again."""
    connection.execute("set session_replication_role = replica")
    tables = connection.execute(
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'p') and c.relpersistence <> 't'"
        " and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%'"
        " and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')"
    ).fetchall()
    if tables:
        names = ", ".join(name for (name,) in tables)
        connection.execute(f"truncate {names} restart identity cascade".encode())
    for (name,) in connection.execute("select format('%I.%I', schemaname, matviewname) from pg_matviews").fetchall():
        connection.execute(f"refresh materialized view {name} with no data".encode())
    connection.execute("select lo_unlink(oid) from pg_largeobject_metadata")


def _cut(connection: psycopg.Connection, which: str, value: str) -> None:
    connection.execute(
        sql.SQL(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where backend_type = 'client backend' and pid <> pg_backend_pid() and {}"
        ).format(sql.SQL(which)),
        [value],
    )


def _with_password(statement: str, role: Role) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(role.name), sql.Literal(role.password))


def _exists(connection: psycopg.Connection, query: str, name: str) -> bool:
    return connection.execute(query, [name]).fetchone() is not None
