"""Holds the ledger in the database against its signatures and anchors, with the code of the auditor's verifier."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.db import transaction

from backups.domain.ledger import NO_TARGET, Outcome, Target
from backups.domain.people import Actor
from backups.ledger.text import text_matches
from backups.ledger.verifier.bundle import check_anchors, trusted_head
from backups.ledger.verifier.kept import read_anchors
from backups.ledger.verifier.log import VERIFIED, Anchor, Entry, LogCheck, Report
from backups.ledger.verifier.notes import Checkpoint, NoteRefused, VerifierKey, parse_checkpoint, parse_verifier_keys
from backups.selectors.clock import database_now
from backups.selectors.sealed_log import (
    checkpoints,
    contradicting_events,
    count_of_missing_texts,
    erased_texts,
    sealed_entries,
    tree_bounds,
    unsealed_count,
    written_texts,
)
from backups.services.ledger import record_event
from backups.services.patience import patience
from backups.services.sealing.errors import KeyUnusable
from backups.services.sealing.token_check import check_time_stamps

#: Events may wait so long for the seal before their wait is a finding.
UNSEALED_SECONDS = 60
_CONTRADICTIONS_SAID = 20
_PATIENCE_MILLISECONDS = 120_000
_PIECE = 5_000


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
    with patience(_PATIENCE_MILLISECONDS):
        report = check_database(keys=keys, anchor_directories=anchor_directories, strict=strict, tsa_roots=tsa_roots)
    with transaction.atomic():
        record_verification(report, actor=actor)
    return report


def check_database(
    *,
    keys: Sequence[VerifierKey],
    anchor_directories: Sequence[Path],
    strict: bool = False,
    tsa_roots: Path | None = None,
    looked_at: Callable[[int], None] = lambda _: None,
) -> Report:
    """The same without a record. `looked_at` hears now and then of how many events, and may end it by raising."""
    report = check_log(keys=keys, anchor_directories=anchor_directories, strict=strict, looked_at=looked_at)
    _check_columns(report)
    _check_texts(report)
    _check_unsealed(report)
    check_time_stamps(report, roots_file=tsa_roots)
    return report


def check_log(
    *,
    keys: Sequence[VerifierKey],
    anchor_directories: Sequence[Path],
    strict: bool = False,
    looked_at: Callable[[int], None] = lambda _: None,
) -> Report:
    """Hashes, tree, signatures and anchors: what the verifier of a bundle looks at as well."""
    report = Report()
    anchors = [each for directory in anchor_directories for each in read_anchors(directory, keys, report)]
    check_anchors(anchors, report)
    _check_tree(report, keys, anchors, strict, looked_at)
    return report


def record_verification(report: Report, *, actor: Actor, target: Target = NO_TARGET, correlation: str = "") -> None:
    """In the caller's transaction."""
    record_event(
        type="ledger.verified",
        actor=actor,
        target=target,
        correlation=correlation,
        outcome=Outcome.SUCCESS if report.status == VERIFIED else Outcome.FAILURE,
        details={"sealed_size": report.sealed, "events": report.entries, "findings_count": len(report.findings)},
    )


def _check_tree(
    report: Report,
    keys: Sequence[VerifierKey],
    anchors: Sequence[Anchor],
    strict: bool,
    looked_at: Callable[[int], None],
) -> None:
    """Of the tree as it is at one instant; what is sealed meanwhile is for the next check."""
    leaves, newest = tree_bounds()
    signed = list(_readable(report, until=newest))
    head = trusted_head([checkpoint for checkpoint, _ in signed], keys, anchors, report)
    if head is None:
        return
    check = LogCheck(report, head=head, checkpoints=signed, anchors=anchors, strict=strict)
    for entry in sealed_entries(until=leaves):
        if entry.place != check.size:
            report.altered(f"There is no entry {check.size} in the tree; the next one is {entry.place}.")
            break
        if entry.body is None:
            check.add_missing(entry.hash)
        else:
            check.add(Entry(entry.body, entry.hash))
        if check.size % _PIECE == 0:
            looked_at(check.size)
    check.finish()


def _readable(report: Report, *, until: int) -> list[tuple[Checkpoint, dt.datetime | None]]:
    """Whatever the row says beside the note: only the note is signed."""
    found: list[tuple[Checkpoint, dt.datetime | None]] = []
    for row in checkpoints(until=until):
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
    for event_id in islice(contradicting_events(), _CONTRADICTIONS_SAID):
        report.altered(f"The columns of event {event_id} say something else than its exact bytes.")


def _check_texts(report: Report) -> None:
    for words in written_texts():
        if not text_matches(text=words.text, salt=words.salt, commitment=words.event.text_commitment):
            report.altered(f"The words kept with event {words.pk} are not those that were written then.")
    missing = count_of_missing_texts()
    if missing:
        report.altered(f"The words of {missing} events are gone, and not by the erasure that leaves a trace.")
    erased, unexplained = erased_texts()
    if unexplained:
        report.altered(f"The words of {unexplained} events were erased, and no event says so.")
    if erased > unexplained:
        report.remarks.append(f"The words of {erased - unexplained} events were erased, as events of the log say.")


def _check_unsealed(report: Report) -> None:
    waiting = unsealed_count(before=database_now() - dt.timedelta(seconds=UNSEALED_SECONDS))
    if waiting:
        report.unclear(f"{waiting} events have no place in the tree although they are older than {UNSEALED_SECONDS} s.")


def configured_keys() -> list[VerifierKey]:
    """The public keys that this host trusts: those of LEDGER_VKEYS_FILE, or else the sealer's own list.

    Raises KeyUnusable.
    """
    path = Path(settings.LEDGER_VKEYS_FILE or settings.LEDGER_STATE_DIR / "vkeys.txt")
    return read_keys(path)


def read_keys(path: Path) -> list[VerifierKey]:
    """Raises KeyUnusable for a file that cannot be read or holds no key: no signature could be trusted then."""
    try:
        keys = parse_verifier_keys(path.read_text(encoding="utf-8"))
    except (OSError, NoteRefused) as error:
        raise KeyUnusable(f"The public keys cannot be read: {error}") from None
    if not keys:
        raise KeyUnusable(f"{path} holds no key, so no signature can be trusted.")
    return keys


def configured_tsa_roots() -> Path | None:
    """The certificates of time-stamp authorities that this host trusts; None: none are named."""
    return Path(settings.LEDGER_TSA_ROOTS) if settings.LEDGER_TSA_ROOTS else None


def configured_anchor_directories() -> list[Path]:
    """Those of this host's settings."""
    return [Path(path) for path in (*settings.LEDGER_ANCHOR_DIRS, *settings.LEDGER_FURTHER_ANCHOR_DIRS)]
