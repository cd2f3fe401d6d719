"""Gives a sealer its memory anew, when everything that can be asked agrees with the database."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from backups.ledger.verifier.merkle import CompactRange
from backups.ledger.verifier.notes import NoteRefused, trusted_checkpoint
from backups.models.sealing import SealerRefusal
from backups.services.sealing.anchors import Anchor
from backups.services.sealing.errors import SealRefused
from backups.services.sealing.keys import KeyRing
from backups.services.sealing.memory import Memory
from backups.services.sealing.sealer import hold_sealers_off, leaf_hashes, newest_note


def adopt(*, keys: KeyRing, anchors: Sequence[Anchor], by: str, because: str) -> int:
    """Writes the memory from the tree in the database; returns its size. Raises SealRefused, AnchorFailed.

    Every anchor that is configured must answer, and none may know of more events or of another root.
    """
    with transaction.atomic():
        hold_sealers_off()
        newest = newest_note()
        if newest is None:
            raise SealRefused("nothing_sealed", "The database holds no checkpoint, so there is nothing to go on from.")
        try:
            trusted_checkpoint(newest.note, [keys.signer.verifier_key, *keys.known])
        except NoteRefused as refused:
            raise SealRefused("foreign_checkpoint", f"The newest checkpoint cannot be trusted: {refused}") from None
        tree = _tree_that_agrees(newest.size, anchors)
        if tree.root() != newest.root:
            raise SealRefused("other_tree", "The leaves in the database do not give the root of its checkpoint.")
        SealerRefusal.objects.filter(resolved_at__isnull=True).update(
            resolved_at=Now(), resolved_by_name=by[:150], resolution=because
        )
        Memory(settings.LEDGER_STATE_DIR).write(tree, newest.note)
    return newest.size


def _tree_that_agrees(size: int, anchors: Sequence[Anchor]) -> CompactRange:
    kept = {anchor.name: checkpoint for anchor in anchors if (checkpoint := anchor.newest())}
    tree = CompactRange()
    roots = {0: tree.root()}
    wanted = {checkpoint.size for checkpoint in kept.values()}
    for leaf in leaf_hashes(0, size):
        tree.append(leaf)
        if tree.size in wanted:
            roots[tree.size] = tree.root()
    for name, checkpoint in kept.items():
        if roots.get(checkpoint.size) != checkpoint.root:
            raise SealRefused(
                "anchor_disagrees",
                f"The anchor {name} holds a checkpoint of {checkpoint.size} events; the database, with {size}, does "
                "not continue it. The database was set back, or its end was cut off.",
            )
    return tree
