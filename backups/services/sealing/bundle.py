"""The ledger for an auditor, as a file that can be verified elsewhere: the whole of it, or a part with its proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from backups.domain.anchor import TIME_STAMPS
from backups.domain.export import ExportScope
from backups.domain.people import Actor
from backups.ledger.bundle_file import BundleWriter, bundle_writer
from backups.ledger.verifier.notes import Checkpoint
from backups.models import AnchorReceipt
from backups.selectors.clock import database_now
from backups.selectors.export import ExportedEvent
from backups.selectors.sealed_log import (
    SealedEntry,
    anchor_receipts,
    checkpoints,
    sealed_entries,
    texts_of,
    time_stamps,
    written_texts,
)
from backups.services.ledger import record_event
from backups.services.sealing.errors import SealingError
from backups.services.sealing.proof import ProofMaker
from backups.services.sealing.sealer import leaf_hashes, newest_note

#: Each event of a part has a file of its own for its proof, and a zip file's index is held in memory.
MAX_PART_EVENTS = 20_000
#: The same holds for time stamps, which have two files each: more than a year of hourly ones.
MAX_TIME_STAMPS = 10_000
_PAGE = 2_000
_SANDBOX_BYTES = b'"env":"sandbox"'


class Counted(Protocol):
    """Is told how many events more are written; may end the work by raising."""

    def __call__(self, *, events: int, sandbox_events: int) -> None: ...


def export_bundle(path: Path, *, actor: Actor) -> int:
    """Writes every sealed event with its words, leaves, checkpoints and the verifier; returns how many events.

    Raises SealingError when nothing is sealed yet or an event is gone, and OSError.
    """
    _newest()
    with path.open("xb") as file:
        count, size = write_whole(file)
    with transaction.atomic():
        record_event(
            type="ledger.bundled",
            actor=actor,
            details={"sealed_size": size, "events": count, "file_sha256": file_sha256(path)},
        )
    return count


def write_whole(file: IO[bytes], *, counted: Counted | None = None) -> tuple[int, int]:
    """The whole sealed log; returns how many events, and the size of the tree. Raises SealingError, OSError."""
    newest = _newest()
    writer = bundle_writer(file)
    with writer.archive:
        count = writer.add_events(_tallied(sealed_entries(until=newest.size), counted))
        writer.add_leaves(leaf_hashes(0, newest.size))
        signed = checkpoints(until=newest.size)
        writer.add_checkpoints((row.note, row.signed_at) for row in signed)
        writer.add_receipts(_receipt(row) for row in anchor_receipts(until=newest.size))
        left_out = _add_time_stamps(writer, time_stamps().filter(checkpoint_id__lte=newest.size))
        sealed_words = (words for words in written_texts() if words.event.text_commitment)
        writer.add_texts((str(words.pk), words.salt, words.text) for words in sealed_words)
        scope = ExportScope(with_sandbox=True)
        _finish(writer, newest, whole=True, scope=scope, time_stamps_left_out=left_out)
    return count, newest.size


def write_part(
    file: IO[bytes], pages: Iterable[list[ExportedEvent]], *, scope: ExportScope, counted: Counted | None = None
) -> int:
    """The sealed ones of these events, each with its proof and words; returns how many.

    Raises SealingError when nothing is sealed yet, when there are too many, or when the tree does not prove one.
    """
    newest, chosen, proofs = _newest(), list[ExportedEvent](), ProofMaker()
    writer = bundle_writer(file)
    with writer.archive:
        writer.add_events(_sealed_bodies(pages, newest.size, chosen, counted))
        for event in chosen:
            writer.add_proof(str(event.id), proofs.proof(place=_place(event), leaf=event.leaf_hash or b"").text)
        writer.add_checkpoints((head.note, head.signed_at) for head in proofs.heads)
        for_heads = (row for head in proofs.heads for row in head.receipts.order_by("pk"))
        writer.add_receipts(_receipt(row) for row in for_heads)
        left_out = _add_time_stamps(writer, time_stamps(sizes=[head.size for head in proofs.heads]))
        writer.add_texts((str(words.pk), words.salt, words.text) for words in texts_of([each.id for each in chosen]))
        _finish(writer, newest, whole=False, scope=scope, time_stamps_left_out=left_out)
    return len(chosen)


def file_sha256(path: Path) -> str:
    """As the ledger names a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _newest() -> Checkpoint:
    newest = newest_note()
    if newest is None:
        raise SealingError("Nothing is sealed yet, so there is nothing to verify. Nothing was written.")
    return newest


def _tallied(entries: Iterable[SealedEntry], counted: Counted | None) -> Iterator[bytes]:
    events = sandbox = 0
    for entry in entries:
        body = _body(entry)
        events, sandbox = events + 1, sandbox + (_SANDBOX_BYTES in body)
        yield body
        if counted and events == _PAGE:
            counted(events=events, sandbox_events=sandbox)
            events = sandbox = 0
    if counted:
        counted(events=events, sandbox_events=sandbox)


def _sealed_bodies(
    pages: Iterable[list[ExportedEvent]], size: int, chosen: list[ExportedEvent], counted: Counted | None
) -> Iterator[bytes]:
    """What lies under the newest checkpoint; `chosen` takes all of it but the bytes."""
    for page in pages:
        sealed = [event for event in page if event.place is not None and event.place < size]
        if len(chosen) + len(sealed) > MAX_PART_EVENTS:
            raise SealingError(
                f"These are more than {MAX_PART_EVENTS:,} events, the most for a bundle with a proof of each. "
                "Nothing was written. Choose a shorter period, or the whole log, which needs no proofs."
            )
        yield from (event.body.encode("utf-8") for event in sealed)
        chosen.extend(event._replace(body="") for event in sealed)
        if counted:
            counted(events=len(sealed), sandbox_events=sum(event.is_sandbox for event in sealed))


def _place(event: ExportedEvent) -> int:
    if event.place is None:
        raise SealingError(f"Event {event.id} is not sealed.")
    return event.place


def _add_time_stamps(writer: BundleWriter, receipts: QuerySet[AnchorReceipt]) -> int:
    """Adds the newest; returns how many older ones there was no room for."""
    left_out = max(0, receipts.count() - MAX_TIME_STAMPS)
    for receipt in receipts[left_out:].iterator(chunk_size=100):
        writer.add_time_stamp(
            size=receipt.checkpoint_id,
            authority=receipt.anchor.removeprefix(TIME_STAMPS),
            note=receipt.checkpoint.note,
            token=bytes(receipt.evidence),
        )
    return left_out


def _finish(
    writer: BundleWriter, newest: Checkpoint, *, whole: bool, scope: ExportScope, time_stamps_left_out: int
) -> None:
    writer.finish(
        origin=str(settings.LEDGER_ORIGIN),
        size=newest.size,
        whole=whole,
        made_at=database_now(),
        more={
            "scope": scope.to_json(),
            "sandbox": "Events whose env is sandbox are no evidence of anything.",
            "time_stamps_left_out": time_stamps_left_out,
        },
    )


def _receipt(row: AnchorReceipt) -> dict[str, str]:
    return {
        "size": str(row.checkpoint_id),
        "anchor": row.anchor,
        "reference": row.reference,
        "taken_at": row.taken_at.isoformat(),
    }


def _body(entry: SealedEntry) -> bytes:
    if entry.body is None:
        raise SealingError(
            f"Event {entry.place} was removed from the database. Run verify_ledger. Nothing was finished."
        )
    return entry.body
