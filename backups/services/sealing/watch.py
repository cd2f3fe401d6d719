"""What the portal's other processes do about the seal: say what is missing, and write that time has passed."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from backups.domain.people import SYSTEM
from backups.models.ledger import LedgerEvent
from backups.selectors.clock import database_now
from backups.selectors.sealing import newest_receipt
from backups.services.ledger import record_event

logger = logging.getLogger(__name__)

_LOCK = 5_802_106


def seal_findings() -> list[str]:
    """What is missing before the record can be trusted by somebody who does not trust us; a sentence each."""
    if not settings.LEDGER_ORIGIN:
        return [
            "The ledger is not sealed: LEDGER_ORIGIN is not set. Whoever owns the database can change the record "
            "unnoticed. Set it and LEDGER_DATABASE_URL, run setup_roles and set_up_ledger."
        ]
    findings = []
    if not settings.SEAL_BEFORE_ACT:
        findings.append("SEAL_BEFORE_ACT is off: data are overwritten before the approvals of it are sealed.")
    if not settings.LEDGER_ANCHOR_DIRS:
        findings.append(
            "No anchor is configured (LEDGER_ANCHOR_DIRS): a record that was cut off or made anew with a stolen key "
            "cannot be told from the real one."
        )
    findings += [
        f"The anchor {path} lies on this host's disk: whoever owns the host can change both. Mount one from outside."
        for path in settings.LEDGER_ANCHOR_DIRS
        if _is_local(Path(path))
    ]
    return findings


def say_at_start_what_is_unsealed() -> None:
    """A loud line in the log for each; the start goes on."""
    for finding in seal_findings():
        logger.warning("%s", finding)


def record_heartbeat_event() -> bool:
    """A duty of the worker: one event every LEDGER_BEAT_SECONDS, so that silence shows. Whether it wrote one."""
    if not settings.LEDGER_ORIGIN:
        return False
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        last = LedgerEvent.objects.filter(type="system.heartbeat").order_by("-recorded_at").first()
        due = database_now() - dt.timedelta(seconds=settings.LEDGER_BEAT_SECONDS)
        if last is not None and last.recorded_at > due:
            return False
        receipt = newest_receipt()
        record_event(
            type="system.heartbeat",
            actor=SYSTEM,
            details={
                "since": last.recorded_at if last else None,
                "sealed_size": receipt.checkpoint_id if receipt else 0,
            },
        )
    return True


def _is_local(path: Path) -> bool:
    try:
        return path.stat().st_dev == Path("/").stat().st_dev
    except OSError:
        return False
