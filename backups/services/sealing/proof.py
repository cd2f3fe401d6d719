"""The proof that one event stands in the tree, made from a few hundred rows however large the tree is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from django.db import connection

from backups.ledger.tree import inclusion_proof
from backups.ledger.verifier.merkle import EMPTY_ROOT, HASH_BYTES, inclusion_holds, root_of
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
    path = reader.path(place, size)
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


_Block: TypeAlias = tuple[int, int]
"""A kept level, and which 256 hashes of it."""


@dataclass(slots=True)
class _Reader:
    """Reads kept hashes by blocks of 256, each once as long as the next ones are asked for soon."""

    _blocks: dict[_Block, list[bytes]] = field(default_factory=dict)

    def path(self, place: int, size: int) -> list[bytes]:
        """The hashes from the leaf to the root. All blocks that it needs are read together."""
        needed: set[_Block] = set()

        def note(level: int, position: int) -> bytes:
            needed.add(_where(level, position)[0])
            return EMPTY_ROOT

        inclusion_proof(index=place, size=size, subtree=note)
        self._read_together(needed)
        return inclusion_proof(index=place, size=size, subtree=self._subtree)

    def _subtree(self, level: int, position: int) -> bytes:
        block, begin, count = _where(level, position)
        return root_of(self._blocks[block][begin : begin + count])

    def _read_together(self, needed: set[_Block]) -> None:
        missing = needed - self._blocks.keys()
        while self._blocks.keys() - needed and len(self._blocks) + len(missing) > _BLOCKS_KEPT:
            del self._blocks[next(block for block in self._blocks if block not in needed)]
        if missing:
            self._blocks |= _read(sorted(missing))


def _where(level: int, position: int) -> tuple[_Block, int, int]:
    """The block that the subtree's hash is made of, and the first and the number of the hashes in it."""
    kept = level // _BITS * _BITS
    block, begin = divmod(position << (level - kept), _BLOCK)
    return (kept, block), begin, 1 << (level - kept)


# One row with all hashes of a block: 256 rows cost many times as much to hand over.
_READ = f"""
SELECT wanted.level, wanted.block, CASE wanted.level
       WHEN 0 THEN (SELECT string_agg(hash, ''::bytea ORDER BY index) FROM backups_ledgerleaf
                     WHERE index >= wanted.block * {_BLOCK} AND index < (wanted.block + 1) * {_BLOCK})
       ELSE (SELECT string_agg(hash, ''::bytea ORDER BY position) FROM backups_ledgernode
              WHERE level = wanted.level AND position >= wanted.block * {_BLOCK}
                AND position < (wanted.block + 1) * {_BLOCK}) END
  FROM unnest(%s::smallint[], %s::bigint[]) AS wanted (level, block)
"""  # noqa: S608 - of numbers of this file


def _read(blocks: Sequence[_Block]) -> dict[_Block, list[bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(_READ, [[level for level, _ in blocks], [block for _, block in blocks]])
        return {(level, block): _split(bytes(hashes or b"")) for level, block, hashes in cursor.fetchall()}


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
