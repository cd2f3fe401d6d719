"""The proof that one event stands in the tree, made from a few hundred rows however large the tree is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from backups.ledger.tree import inclusion_proof
from backups.ledger.verifier.merkle import HASH_BYTES, inclusion_holds, root_of
from backups.ledger.verifier.notes import proof_text
from backups.models.sealing import AnchorReceipt, LedgerCheckpoint, LedgerLeaf
from backups.services.sealing.errors import SealingError

_BITS = 8
_BLOCK = 1 << _BITS
# Of some 10 kB each; neighbours in the tree share most of them.
_BLOCKS_KEPT = 256


@dataclass(frozen=True, slots=True)
class EventProof:
    """`text`: the .tlog-proof file. `anchored`: whether an anchor has the checkpoint that it leads to."""

    index: int
    size: int
    text: str
    anchored: bool


@dataclass(slots=True)
class ProofMaker:
    """Proofs of many events, against as few checkpoints as can be: the newest that an anchor has, else the newest.

    `heads`: those that were used.
    """

    heads: list[LedgerCheckpoint] = field(default_factory=list)
    _reader: _Reader = field(default_factory=lambda: _Reader())
    _known: list[tuple[LedgerCheckpoint, bool]] = field(default_factory=lambda: list(_newest_heads()))

    def proof(self, *, place: int, leaf: bytes) -> EventProof:
        """Raises SealingError when no checkpoint covers the place, or the tree in the database does not prove it."""
        found = next(((head, anchored) for head, anchored in self._known if head.size > place), None)
        if found is None:
            raise SealingError(f"No checkpoint covers entry {place} yet. Nothing was finished.")
        head, anchored = found
        if head not in self.heads:
            self.heads.append(head)
        return _proof(place, leaf, head, self._reader, anchored=anchored)


def _newest_heads() -> Iterator[tuple[LedgerCheckpoint, bool]]:
    receipt = AnchorReceipt.objects.select_related("checkpoint").order_by("-checkpoint_id").first()
    if receipt is not None:
        yield receipt.checkpoint, True
    newest = LedgerCheckpoint.objects.order_by("-size").first()
    if newest is not None:
        yield newest, False


def proof_of(event_id: UUID) -> EventProof | None:
    """None while the event is not sealed. Raises SealingError when the tree in the database does not prove it."""
    leaf = LedgerLeaf.objects.filter(event_id=event_id).first()
    if leaf is None:
        return None
    checkpoint, anchored = _checkpoint_over(leaf.index)
    if checkpoint is None:
        return None
    return _proof(leaf.index, bytes(leaf.hash), checkpoint, _Reader(), anchored=anchored)


def _proof(place: int, leaf: bytes, checkpoint: LedgerCheckpoint, reader: _Reader, *, anchored: bool) -> EventProof:
    size, root = checkpoint.size, bytes(checkpoint.root)
    path = inclusion_proof(index=place, size=size, subtree=reader.subtree)
    if not inclusion_holds(index=place, size=size, leaf=leaf, root=root, proof=path):
        raise SealingError(f"The tree in the database does not prove entry {place}. Run verify_ledger.")
    return EventProof(place, size, proof_text(place, path, checkpoint.note), anchored)


def _checkpoint_over(index: int) -> tuple[LedgerCheckpoint | None, bool]:
    """The first anchored one that covers the leaf, because somebody else has it too; else the first at all."""
    receipts = AnchorReceipt.objects.filter(checkpoint_id__gt=index).order_by("checkpoint_id")
    receipt = receipts.select_related("checkpoint").first()
    if receipt is not None:
        return receipt.checkpoint, True
    return LedgerCheckpoint.objects.filter(size__gt=index).order_by("size").first(), False


@dataclass(slots=True)
class _Reader:
    """Reads kept hashes by blocks of 256, each once as long as the next ones are asked for soon."""

    _blocks: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)

    def subtree(self, level: int, position: int) -> bytes:
        kept = level // _BITS * _BITS
        first, count = position << (level - kept), 1 << (level - kept)
        block, begin = divmod(first, _BLOCK)
        return root_of(self._block(kept, block)[begin : begin + count])

    def _block(self, kept: int, block: int) -> list[bytes]:
        if (kept, block) not in self._blocks:
            if len(self._blocks) >= _BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[kept, block] = _read(kept, block << _BITS)
        return self._blocks[kept, block]


# One row with all hashes: 256 rows cost many times as much to hand over.
_READ_LEAVES = """
SELECT coalesce(string_agg(hash, ''::bytea ORDER BY index), ''::bytea)
  FROM backups_ledgerleaf WHERE index >= %s AND index < %s
"""
_READ_NODES = """
SELECT coalesce(string_agg(hash, ''::bytea ORDER BY position), ''::bytea)
  FROM backups_ledgernode WHERE position >= %s AND position < %s AND level = %s
"""


def _read(kept: int, first: int) -> list[bytes]:
    with connection.cursor() as cursor:
        if kept == 0:
            cursor.execute(_READ_LEAVES, [first, first + _BLOCK])
        else:
            cursor.execute(_READ_NODES, [first, first + _BLOCK, kept])
        hashes = bytes(cursor.fetchone()[0])
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
