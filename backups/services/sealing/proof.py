"""The proof that one event stands in the tree, made from a few hundred rows however large the tree is."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from backups.ledger.tree import inclusion_proof
from backups.ledger.verifier.merkle import inclusion_holds, root_of
from backups.ledger.verifier.notes import proof_text
from backups.models.sealing import AnchorReceipt, LedgerCheckpoint, LedgerLeaf, LedgerNode
from backups.services.sealing.errors import SealingError

_BITS = 8
_BLOCK = 1 << _BITS


@dataclass(frozen=True, slots=True)
class EventProof:
    """`text`: the .tlog-proof file. `anchored`: whether an anchor has the checkpoint that it leads to."""

    index: int
    size: int
    text: str
    anchored: bool


def proof_of(event_id: UUID) -> EventProof | None:
    """None while the event is not sealed. Raises SealingError when the tree in the database does not prove it."""
    leaf = LedgerLeaf.objects.filter(event_id=event_id).first()
    if leaf is None:
        return None
    checkpoint, anchored = _checkpoint_over(leaf.index)
    if checkpoint is None:
        return None
    size, root = checkpoint.size, bytes(checkpoint.root)
    path = inclusion_proof(index=leaf.index, size=size, subtree=_Reader().subtree)
    if not inclusion_holds(index=leaf.index, size=size, leaf=bytes(leaf.hash), root=root, proof=path):
        raise SealingError(f"The tree in the database does not prove event {event_id}. Run verify_ledger.")
    return EventProof(leaf.index, size, proof_text(leaf.index, path, checkpoint.note), anchored)


def _checkpoint_over(index: int) -> tuple[LedgerCheckpoint | None, bool]:
    """The first anchored one that covers the leaf, because somebody else has it too; else the first at all."""
    receipts = AnchorReceipt.objects.filter(checkpoint_id__gt=index).order_by("checkpoint_id")
    receipt = receipts.select_related("checkpoint").first()
    if receipt is not None:
        return receipt.checkpoint, True
    return LedgerCheckpoint.objects.filter(size__gt=index).order_by("size").first(), False


@dataclass(slots=True)
class _Reader:
    """Reads kept hashes by blocks of 256, each once."""

    _blocks: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)

    def subtree(self, level: int, position: int) -> bytes:
        kept = level // _BITS * _BITS
        first, count = position << (level - kept), 1 << (level - kept)
        block, begin = divmod(first, _BLOCK)
        return root_of(self._block(kept, block)[begin : begin + count])

    def _block(self, kept: int, block: int) -> list[bytes]:
        if (kept, block) not in self._blocks:
            self._blocks[kept, block] = _read(kept, block << _BITS)
        return self._blocks[kept, block]


def _read(kept: int, first: int) -> list[bytes]:
    if kept == 0:
        leaves = LedgerLeaf.objects.filter(index__gte=first, index__lt=first + _BLOCK).order_by("index")
        return [bytes(each) for each in leaves.values_list("hash", flat=True)]
    nodes = LedgerNode.objects.filter(level=kept, position__gte=first, position__lt=first + _BLOCK)
    return [bytes(each) for each in nodes.order_by("position").values_list("hash", flat=True)]
