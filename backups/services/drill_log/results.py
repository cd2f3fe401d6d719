"""What a drill brought to light, its files, and a manager's signature."""

from __future__ import annotations

import hashlib

from django.db import transaction

from backups.domain.attachment import AttachmentRefused, clean_name, content_type_of
from backups.domain.drill import FindingSeverity
from backups.domain.drill_log import DrillAct
from backups.domain.people import Actor
from backups.ledger.fields import Detail
from backups.models import Drill, DrillAttachment, DrillFinding, DrillSignOff
from backups.services.drill_log.governed import (
    GrantedDrill,
    demand,
    on_drill,
    record_drill,
    target_of_drill,
    text_errors,
    words_of,
)
from backups.services.ledger import record_event
from backups.services.restore.errors import InvalidInput
from backups.services.restore.governed import account_of

MAX_ATTACHMENTS = 20


def add_finding(*, actor: Actor, drill_id: int, severity: FindingSeverity, text: str) -> DrillFinding:
    """Something the drill has shown; written once. Raises Refused, InvalidInput."""
    demand(text_errors("text", text, empty="Say what was found. No patient details, please."))
    return on_drill(
        actor=actor,
        drill_id=drill_id,
        act=DrillAct.ADD_FINDING,
        change=lambda granted: _finding(granted, severity, text.strip()),
    )


def attach_file(*, actor: Actor, drill_id: int, name: str, content: bytes) -> DrillAttachment:
    """Keeps a file with the drill; its hash goes to the ledger. Raises Refused, InvalidInput.

    The kind is judged by the content and must be the one that the name says.
    """
    try:
        cleaned = clean_name(name)
        kind = content_type_of(cleaned, content)
    except AttachmentRefused as refused:
        raise InvalidInput({"file": f"{refused} Nothing was stored."}) from None
    return on_drill(
        actor=actor,
        drill_id=drill_id,
        act=DrillAct.ATTACH,
        change=lambda granted: _attach(granted, cleaned, kind, content),
    )


def note_attachment_read(*, actor: Actor, attachment: DrillAttachment) -> None:
    """Somebody downloaded the file."""
    drill = attachment.drill
    with transaction.atomic():
        record_event(
            type="drill.attachment_read",
            actor=actor,
            target=target_of_drill(drill),
            details={"drill": drill.reference, "file_sha256": attachment.sha256},
            sandbox=drill.project.is_sandbox,
            correlation=drill.reference,
        )


def sign_off(*, actor: Actor, drill_id: int, text: str) -> DrillSignOff:
    """A manager's word on an ended drill, by somebody who did not run it. Raises Refused, InvalidInput."""
    demand(text_errors("text", text, empty="Say what you looked at and what you make of it."))
    return on_drill(
        actor=actor, drill_id=drill_id, act=DrillAct.SIGN_OFF, change=lambda granted: _sign(granted, text.strip())
    )


def _finding(granted: GrantedDrill, severity: FindingSeverity, text: str) -> DrillFinding:
    event = record_drill(granted, "drill.finding_added", {"severity": severity.value}, text=text)
    return DrillFinding.objects.create(
        drill=granted.drill,
        severity=severity.value,
        text=words_of(event),
        written_by_name=granted.actor.name,
        at=granted.now,
    )


def _attach(granted: GrantedDrill, name: str, kind: str, content: bytes) -> DrillAttachment:
    present = granted.drill.attachments.all()
    if present.filter(name=name).exists():
        raise InvalidInput({"file": "A file of this name is attached already. Give this one another name."})
    if present.count() >= MAX_ATTACHMENTS:
        raise InvalidInput({"file": f"At most {MAX_ATTACHMENTS} files can be attached."})
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    # The name stays out of the ledger: people write names of patients into names of files.
    record_drill(
        granted,
        "drill.attachment_added",
        {"file_sha256": digest, "content_type": kind, "bytes": len(content)},
    )
    return DrillAttachment.objects.create(
        drill=granted.drill,
        name=name,
        content_type=kind,
        size_bytes=len(content),
        sha256=digest,
        content=content,
        added_by_name=granted.actor.name,
        at=granted.now,
    )


def _sign(granted: GrantedDrill, text: str) -> DrillSignOff:
    drill: Drill = granted.drill
    details: dict[str, Detail] = {
        "outcome": str(drill.outcome),
        "findings_count": drill.findings.count(),
        "open_actions": drill.actions.filter(done_at__isnull=True).count(),
    }
    event = record_drill(granted, "drill.signed_off", details, text=text)
    return DrillSignOff.objects.create(
        drill=drill,
        signed_by_id=account_of(granted.actor),
        signed_by_name=granted.actor.name,
        ran_by_id=drill.asked_by_id,
        text=words_of(event),
        at=granted.now,
    )
