"""What the portal's other processes do about the seal: say what is missing, and write that time has passed."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from backups.domain.ledger import Target
from backups.domain.monitor import Severity
from backups.domain.notification import Control, Subject, SubjectKind, Topic
from backups.domain.people import SYSTEM, Role
from backups.models.ledger import LedgerEvent
from backups.models.sealing import SealerHeartbeat, SealerRefusal
from backups.selectors.clock import database_now
from backups.selectors.sealing import newest_receipt, open_refusals
from backups.services.ledger import record_event
from backups.services.notification.alert import alert
from backups.services.notification.heartbeat import beat
from backups.services.sealing.places import lies_on_this_host

logger = logging.getLogger(__name__)

_LOCK = 5_802_106
_SILENCE_SECONDS = 30


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
        if lies_on_this_host(Path(path))
    ]
    return findings


def say_at_start_what_is_unsealed() -> None:
    """A loud line in the log for each; the start goes on."""
    for finding in seal_findings():
        logger.warning("%s", finding)


def watch_the_seal() -> None:
    """A duty of the worker, where the ledger is sealed."""
    if not settings.LEDGER_ORIGIN:
        return
    record_heartbeat_event()
    tell_of_refusals()
    newest = SealerHeartbeat.objects.order_by("-beat_at").first()
    if newest is not None and database_now() - newest.beat_at < dt.timedelta(seconds=_SILENCE_SECONDS):
        beat(Control.LEDGER, well=not newest.problem and not open_refusals().exists())


def record_heartbeat_event() -> bool:
    """One event every LEDGER_BEAT_SECONDS, so that silence shows. Whether it wrote one."""
    if not settings.LEDGER_ORIGIN:
        return False
    with transaction.atomic():
        _lock()
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


def tell_of_refusals() -> int:
    """People and the ledger learn of each refusal of the sealer, and of its end."""
    told = 0
    for refusal in SealerRefusal.objects.order_by("pk"):
        told += _tell_once(refusal, "ledger.refused")
        if refusal.resolved_at is not None:
            told += _tell_once(refusal, "ledger.refusal_resolved")
    return told


@transaction.atomic
def _tell_once(refusal: SealerRefusal, event_type: str) -> bool:
    _lock()
    target = Target(kind="sealer", id=f"SR-{refusal.pk:04d}")
    if LedgerEvent.objects.filter(target_kind=target.kind, target_id=target.id, type=event_type).exists():
        return False
    is_over = event_type == "ledger.refusal_resolved"
    record_event(
        type=event_type,
        actor=SYSTEM,
        target=target,
        details={"refused": refusal.code, "node": refusal.node},
        text=f"{refusal.resolved_by_name}: {refusal.resolution}" if is_over else "",
    )
    over = f"Over: the ledger is sealed again, says {refusal.resolved_by_name}."
    alert(
        topic=Topic.SYSTEM_WELL if is_over else Topic.SYSTEM_TROUBLE,
        subject=Subject(SubjectKind.SYSTEM, target.id, identity=f"sealer:{refusal.code}"),
        severity=Severity.CRITICAL,
        text=over if is_over else f"The ledger is not sealed, and production is not restored: {refusal.sentence}",
        link_path="/",
        roles=list(Role),
        occasion=f"{target.id}:{event_type}",
        resolves=is_over,
    )
    return True


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
