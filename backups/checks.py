"""System checks of the database's guards: run by `manage.py check --database default` and after `migrate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connection

from backups.selectors.ledger import guard_findings
from backups.services.database_roles import configured_web_role, current_database_role


@register(Tags.database)
def ledger_is_guarded(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Asks about the role that web and worker use, also when the owner runs the check."""
    if not databases or "backups_ledgerevent" not in connection.introspection.table_names():
        return []
    web = configured_web_role()
    findings = guard_findings(role=web.name if web else current_database_role())
    return [Warning(sentence, id="backups.W001") for sentence in findings]
