"""System checks of the database: its guards (`check --database default`, and after `migrate`) and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection

from backups.selectors.ledger import guard_findings
from backups.services.database_roles import configured_web_role, current_database_role
from backups.services.self_hosting import SENTENCE, project_holding_the_portal


@register(Tags.database)
def ledger_is_guarded(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Asks about the role that web and worker use, also when the owner runs the check."""
    if not databases or "backups_ledgerevent" not in connection.introspection.table_names():
        return []
    web = configured_web_role()
    findings = guard_findings(role=web.name if web else current_database_role())
    return [Warning(sentence, id="backups.W001") for sentence in findings]


@register(Tags.security)
def portal_is_no_guest_of_its_own(**_: Any) -> list[CheckMessage]:
    """Run by every command, the worker included; the web server asks in wsgi.py."""
    name = "" if settings.MIGRATION_TOOLING else project_holding_the_portal()
    return [Error(SENTENCE.format(project=name), id="backups.E001")] if name else []
