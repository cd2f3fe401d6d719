"""What an event tells of a check."""

from __future__ import annotations

from backups.ledger.fields import Detail
from backups.models import CheckResult


def about_check(row: CheckResult) -> dict[str, Detail]:
    """Its name, its result and which table and database it was about; its figures stay in the row."""
    return {
        "check": row.code,
        "check_result": row.outcome,
        "required": row.is_required,
        "table": row.subject or None,
        "databases": [row.database],
    }
