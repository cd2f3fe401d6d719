"""Lets go of what no node in use needs any more: bases, WAL, and in the end whole nodes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from neon_sandbox.entities import Node
from neon_sandbox.storage.bases import Bases
from neon_sandbox.storage.nodes import SEGMENT_BYTES, Nodes, segment_of
from neon_sandbox.storage.retention import Kept, first_base, plan, thinned

#: Of each node: the one that the window's oldest moment needs, and others that only make replay shorter.
MOST_BASES = 4
PRUNE_EVERY_SECONDS = 5.0


class Pruning:
    def __init__(self, nodes: Nodes, bases: Bases) -> None:
        self._nodes = nodes
        self._bases = bases
        self._pruned_at: dict[str, float] = {}

    def unneeded(self, needed: Mapping[str, datetime]) -> list[str]:
        nodes = self._by_id()
        return list(nodes.keys() - plan(nodes, needed).keys())

    def prune(self, needed: Mapping[str, datetime]) -> None:
        """Drops bases and WAL. Nodes that are not needed at all are not touched: they are discarded elsewhere."""
        nodes = self._by_id()
        for node_id, kept in plan(nodes, needed).items():
            node = nodes.get(node_id)
            if node is None or not node.ready or node.sealed:
                continue
            self._drop_bases(node, kept)
            if time.monotonic() - self._pruned_at.get(node_id, -PRUNE_EVERY_SECONDS) >= PRUNE_EVERY_SECONDS:
                self._pruned_at[node_id] = time.monotonic()
                self._drop_wal(node, kept)

    def free_ancestors(self, needed: Mapping[str, datetime]) -> None:
        """Gives a base of its own to a node for whose sake alone an ancestor is kept.

        Once that base is older than all that the node must reach, the ancestor goes.
        """
        nodes = self._by_id()
        for node_id, moment in needed.items():
            node, first = nodes.get(node_id), first_base(nodes, node_id, moment)
            if node is None or not node.ready or node.bases or first is None:
                continue
            if first[0].id not in needed:
                self._bases.take_if_it_stays(node_id)

    def _by_id(self) -> dict[str, Node]:
        return {node.id: node for node in self._nodes.store.find(Node)}

    def _drop_bases(self, node: Node, kept: Kept) -> None:
        useful = [base for base in node.bases if base.number in kept.bases or kept.useful(base)]
        left = thinned(useful, kept.bases, MOST_BASES)
        dropped = [base for base in node.bases if base not in left]
        if dropped:
            self._bases.drop(node.id, dropped)

    def _drop_wal(self, node: Node, kept: Kept) -> None:
        for path in (self._nodes.dir(node.id) / "wal").iterdir():
            segment = segment_of(path.name)
            if path.suffix == ".history":
                continue
            # Beside segments there are only notes of backups and halves of segments, for which recovery never asks.
            if segment is None or not kept.covers(segment[1], segment[1] + SEGMENT_BYTES):
                path.unlink(missing_ok=True)
