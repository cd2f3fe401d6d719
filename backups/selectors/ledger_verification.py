"""Verifications of the whole ledger that were asked for on a page."""

from __future__ import annotations

from django.db.models import QuerySet

from backups.domain.ledger_verification import VerificationState
from backups.models import LedgerVerification


def verifications() -> QuerySet[LedgerVerification]:
    """The newest first."""
    return LedgerVerification.objects.order_by("-asked_at", "-pk")


def open_verifications() -> QuerySet[LedgerVerification]:
    """Those that a worker has still to do with, the oldest first: one at most, or two for an instant."""
    return LedgerVerification.objects.filter(state__in=[VerificationState.WAITING, VerificationState.RUNNING]).order_by(
        "asked_at", "pk"
    )
