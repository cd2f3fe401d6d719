"""Holds the ledger in the database against its signatures and anchors, with the code of the auditor's verifier."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.db import transaction

from backups.domain.ledger import Outcome
from backups.domain.people import Actor
from backups.ledger.text import text_matches
from backups.ledger.verifier.bundle import check_anchors, trusted_head
from backups.ledger.verifier.kept import read_anchors
from backups.ledger.verifier.log import VERIFIED, Anchor, Entry, LogCheck, Report
from backups.ledger.verifier.notes import Checkpoint, NoteRefused, VerifierKey, parse_checkpoint
from backups.selectors.clock import database_now
from backups.selectors.sealed_log import (
    checkpoints,
    contradicting_events,
    count_of_missing_texts,
    sealed_entries,
    unsealed_count,
    written_texts,
)
from backups.services.ledger import record_event
from backups.services.sealing.token_check import check_time_stamps

#: Events may wait so long for the seal before their wait is a finding.
UNSEALED_SECONDS = 60
_CONTRADICTIONS_SAID = 20


def verify_database(
    *,
    keys: Sequence[VerifierKey],
    anchor_directories: Sequence[Path],
    actor: Actor,
    strict: bool = False,
    tsa_roots: Path | None = None,
) -> Report:
    """Reads every event. The check is an event itself, whatever comes of it.

    `tsa_roots`: a file with the certificates that time stamps must lead to.
    """
    report = Report()
    anchors = [each for directory in anchor_directories for each in read_anchors(directory, keys, report)]
    check_anchors(anchors, report)
    _check_tree(report, keys, anchors, strict=strict)
    _check_columns(report)
    _check_texts(report)
    _check_unsealed(report)
    check_time_stamps(report, roots_file=tsa_roots)
    with transaction.atomic():
        record_event(
            type="ledger.verified",
            actor=actor,
            outcome=Outcome.SUCCESS if report.status == VERIFIED else Outcome.FAILURE,
            details={
                "sealed_size": report.sealed,
                "events": report.entries,
                "findings_count": len(report.findings),
            },
        )
    return report


def _check_tree(report: Report, keys: Sequence[VerifierKey], anchors: Sequence[Anchor], *, strict: bool) -> None:
    signed = list(_readable(report))
    head = trusted_head([checkpoint for checkpoint, _ in signed], keys, anchors, report)
    if head is None:
        return
    check = LogCheck(report, head=head, checkpoints=signed, anchors=anchors, strict=strict)
    for entry in sealed_entries(until=2**62):
        if entry.place != check.size:
            report.altered(f"There is no entry {check.size} in the tree; the next one is {entry.place}.")
            break
        if entry.body is None:
            check.add_missing(entry.hash)
        else:
            check.add(Entry(entry.body.encode("utf-8", "surrogatepass"), entry.hash))
    check.finish()


def _readable(report: Report) -> list[tuple[Checkpoint, dt.datetime | None]]:
    """Whatever the row says beside the note: only the note is signed."""
    found: list[tuple[Checkpoint, dt.datetime | None]] = []
    for row in checkpoints():
        try:
            checkpoint = parse_checkpoint(row.note)
        except NoteRefused as refused:
            report.altered(f"The checkpoint of {row.size} events cannot be read: {refused}")
            continue
        if (checkpoint.size, checkpoint.root) != (row.size, bytes(row.root)):
            report.altered(f"The row of the checkpoint of {row.size} events says something else than its note.")
        found.append((checkpoint, row.signed_at))
    return found


def _check_columns(report: Report) -> None:
    """Pages search and show by columns; the trigger that fills them can be gone past by whoever owns the server."""
    for event_id in contradicting_events(limit=_CONTRADICTIONS_SAID):
        report.altered(f"The columns of event {event_id} say something else than its exact bytes.")


def _check_texts(report: Report) -> None:
    for words in written_texts():
        if not text_matches(text=words.text, salt=words.salt, commitment=words.event.text_commitment):
            report.altered(f"The words kept with event {words.pk} are not those that were written then.")
    missing = count_of_missing_texts()
    if missing:
        report.altered(f"The words of {missing} events are gone, and not by the erasure that leaves a trace.")


def _check_unsealed(report: Report) -> None:
    waiting = unsealed_count(before=database_now() - dt.timedelta(seconds=UNSEALED_SECONDS))
    if waiting:
        report.unclear(f"{waiting} events have no place in the tree although they are older than {UNSEALED_SECONDS} s.")


def configured_anchor_directories() -> list[Path]:
    """Those of this host's settings."""
    return [Path(path) for path in (*settings.LEDGER_ANCHOR_DIRS, *settings.LEDGER_FURTHER_ANCHOR_DIRS)]
