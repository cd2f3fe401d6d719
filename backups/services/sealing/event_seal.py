"""How one event stands in the sealed log, found by computing it anew from the event's own bytes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from backups.ledger.verifier.merkle import leaf_hash
from backups.ledger.verifier.notes import parse_checkpoint, parse_proof
from backups.models.ledger import LedgerEvent
from backups.models.sealing import AnchorReceipt, LedgerCheckpoint, LedgerLeaf
from backups.selectors.clock import database_now
from backups.services.sealing.errors import SealingError
from backups.services.sealing.proof import EventProof, proof_of


class Standing(StrEnum):
    WAITING = "waiting"
    """Recorded and not yet under a signed checkpoint."""
    PROVEN = "proven"
    """The bytes lead to the root of a checkpoint."""
    ALTERED = "altered"
    """The bytes are not the ones that were sealed."""
    BROKEN = "broken"
    """The bytes are those of the leaf, and the tree in the database does not lead from it to the checkpoint."""


@dataclass(frozen=True, slots=True)
class EventSeal:
    """`computed` is the leaf's hash from the bytes now, `sealed` the one in the tree; both in hex."""

    standing: Standing
    computed: str
    sealed: str
    waited: dt.timedelta
    index: int | None = None
    proof: EventProof | None = None
    origin: str = ""
    root: str = ""
    steps: int = 0
    signed_at: dt.datetime | None = None
    receipts: tuple[AnchorReceipt, ...] = ()


def seal_of(event: LedgerEvent) -> EventSeal:
    """Computes hash and path. The checkpoint's signature is not checked: its key must not come from the portal."""
    computed = leaf_hash(event.body.encode("utf-8")).hex()
    waited = database_now() - event.recorded_at
    leaf = LedgerLeaf.objects.filter(event_id=event.pk).first()
    if leaf is None:
        return EventSeal(Standing.WAITING, computed, "", waited)
    sealed = bytes(leaf.hash).hex()
    if computed != sealed:
        return EventSeal(Standing.ALTERED, computed, sealed, waited, index=leaf.index)
    try:
        proof = proof_of(event.pk)
    except SealingError:
        return EventSeal(Standing.BROKEN, computed, sealed, waited, index=leaf.index)
    if proof is None:
        return EventSeal(Standing.WAITING, computed, sealed, waited, index=leaf.index)
    return _proven(computed, waited, proof)


def _proven(computed: str, waited: dt.timedelta, proof: EventProof) -> EventSeal:
    checkpoint = LedgerCheckpoint.objects.prefetch_related("receipts").get(size=proof.size)
    read = parse_checkpoint(checkpoint.note)
    return EventSeal(
        standing=Standing.PROVEN,
        computed=computed,
        sealed=computed,
        waited=waited,
        index=proof.index,
        proof=proof,
        origin=read.origin,
        root=bytes(checkpoint.root).hex(),
        steps=len(parse_proof(proof.text).path),
        signed_at=checkpoint.signed_at,
        receipts=tuple(checkpoint.receipts.all()),
    )
