"""Whether PostgreSQL guards the ledger as it should, asked of its catalogues."""

from __future__ import annotations

from django.db import connection

from backups.models.database_rules import APPEND_ONLY, guards

_ALWAYS = "A"


def guard_findings(*, role: str) -> list[str]:
    """What is wrong, a sentence each; empty when this database role cannot change an event."""
    return [*_missing_triggers(), *_excess_rights(role)]


def _missing_triggers() -> list[str]:
    enabled = _trigger_states()
    return [
        f"The trigger {name} on {table} is missing or not ENABLE ALWAYS: rows can be changed. Run migrate again, "
        "and find out who removed it."
        for table, name in guards()
        if enabled.get((table, name)) != _ALWAYS
    ]


def _excess_rights(role: str) -> list[str]:
    if not _exists(role):
        return [f"The database role {role} does not exist. Run setup_roles."]
    if not _changeable_by(role):
        return []
    return [
        f"The portal runs as the database role {role}, which may change or remove events. Give DATABASE_URL a role "
        "of its own, MIGRATE_DATABASE_URL the owner, and run setup_roles."
    ]


def _trigger_states() -> dict[tuple[str, str], str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname::text, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal"
        )
        return {(table, name): state for table, name, state in cursor.fetchall()}


def _exists(role: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        return cursor.fetchone() is not None


def _changeable_by(role: str) -> list[str]:
    """The append-only tables that the role could alter. An owner can also drop the triggers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname::text FROM pg_class WHERE relname = ANY(%s) AND relkind = 'r' AND ("
            " has_table_privilege(%s, oid, 'UPDATE, DELETE, TRUNCATE') OR pg_has_role(%s, relowner, 'MEMBER'))",
            [list(APPEND_ONLY), role, role],
        )
        return [name for (name,) in cursor.fetchall()]
