"""The proof of one event, from the rows that the sealer keeps."""

from __future__ import annotations

import random
from collections.abc import Sequence
from uuid import uuid4

import pytest

from backups.ledger.tree import inclusion_proof, subtrees_of
from backups.ledger.verifier.merkle import CompactRange, leaf_hash
from backups.ledger.verifier.notes import checked_proof
from backups.services.sealing import proof
from backups.services.sealing.errors import SealingError
from backups.services.sealing.proof import proof_of
from backups.services.sealing.sealer import KEPT_LEVELS
from tests.support.sealing import SealedPortal, comment


def test_an_event_is_proven_against_the_anchored_checkpoint(portal: SealedPortal):
    events = [comment() for _ in range(3)]
    assert proof_of(events[0].pk) is None, "it is not sealed yet"
    portal.seal()
    events += [comment() for _ in range(4)]
    portal.seal()
    for event in events:
        found = proof_of(event.pk)
        assert found.anchored
        index, checkpoint = checked_proof(found.text, event.body.encode(), [portal.signer.verifier_key])
        assert (index, checkpoint.size) == (found.index, found.size)
    assert proof_of(uuid4()) is None


def test_a_changed_tree_gives_no_proof(portal: SealedPortal):
    events = [comment() for _ in range(3)]
    portal.seal()
    portal.as_superuser("UPDATE backups_ledgerleaf SET hash = sha256('x') WHERE index = 1")
    with pytest.raises(SealingError, match="does not prove"):
        proof_of(events[0].pk)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 70_000])
def test_a_few_blocks_are_enough(monkeypatch: pytest.MonkeyPatch, size: int):
    """Against the tree in memory, and never more than two blocks a level."""
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    nodes: dict[tuple[int, int], bytes] = {}
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf, lambda level, at, node: nodes.update({(level, at): node}) if level in KEPT_LEVELS else None)
    read: list[int] = []

    def read_rows(blocks: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[bytes]]:
        read.append(len(blocks))
        return {block: read_block(*block) for block in blocks}

    def read_block(kept: int, block: int) -> list[bytes]:
        places = range(block * 256, block * 256 + 256)
        if kept == 0:
            return leaves[places.start : places.stop]
        return [nodes[kept, at] for at in places if (kept, at) in nodes]

    monkeypatch.setattr(proof, "_read", read_rows)
    in_memory = subtrees_of(leaves)
    for index in {0, size - 1, random.Random(size).randrange(size)}:
        read.clear()
        found = proof._Reader().path(index, size)
        assert found == inclusion_proof(index=index, size=size, subtree=in_memory)
        assert len(read) <= 1, "all blocks are read together"
        assert sum(read) <= 6
