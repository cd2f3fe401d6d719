"""The whole ledger as one file for an auditor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import transaction

from backups.domain.people import Actor
from backups.ledger.bundle_file import bundle_writer
from backups.selectors.clock import database_now
from backups.selectors.sealed_log import SealedEntry, checkpoints, sealed_entries, written_texts
from backups.services.ledger import record_event
from backups.services.sealing.errors import SealingError
from backups.services.sealing.sealer import leaf_hashes, newest_note


def export_bundle(path: Path, *, actor: Actor) -> int:
    """Writes every sealed event with its words, leaves, checkpoints and the verifier; returns how many events.

    Raises SealingError when nothing is sealed yet or an event is gone, and OSError.
    """
    newest = newest_note()
    if newest is None:
        raise SealingError("Nothing is sealed yet, so there is nothing to verify. Nothing was written.")
    with path.open("xb") as file:
        writer = bundle_writer(file)
        count = writer.add_events(_body(entry) for entry in sealed_entries(until=newest.size))
        writer.add_leaves(leaf_hashes(0, newest.size))
        signed = (row for row in checkpoints() if row.size <= newest.size)
        writer.add_checkpoints((row.note, row.signed_at) for row in signed)
        sealed_words = (words for words in written_texts() if words.event.text_commitment)
        writer.add_texts((str(words.pk), words.salt, words.text) for words in sealed_words)
        writer.finish(origin=str(settings.LEDGER_ORIGIN), size=newest.size, whole=True, made_at=database_now())
        writer.archive.close()
    _record(path, count, newest.size, actor)
    return count


def _body(entry: SealedEntry) -> bytes:
    if entry.body is None:
        raise SealingError(
            f"Event {entry.place} was removed from the database. Run verify_ledger. Nothing was finished."
        )
    return entry.body.encode("utf-8")


def _record(path: Path, count: int, size: int, actor: Actor) -> None:
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
    with transaction.atomic():
        record_event(
            type="ledger.bundled",
            actor=actor,
            details={"sealed_size": size, "events": count, "file_sha256": f"sha256:{digest.hexdigest()}"},
        )


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(1 << 20), b"")
