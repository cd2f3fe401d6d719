"""The rule of retention of this installation."""

from __future__ import annotations

from django.conf import settings

from backups.domain.retention import RetentionRule
from backups.models.ledger import LedgerEvent


def retention_rule() -> RetentionRule:
    """Since when and until when records are kept, by RETENTION_YEARS and LEGAL_HOLD. One query."""
    oldest = LedgerEvent.objects.order_by("recorded_at", "id").values_list("recorded_at", flat=True).first()
    return RetentionRule(years=settings.RETENTION_YEARS, hold=settings.LEGAL_HOLD, since=oldest)


def legal_hold() -> str:
    """The matter for which nothing may go or be erased, by its name; empty: there is none. No query."""
    return str(settings.LEGAL_HOLD)
