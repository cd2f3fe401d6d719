"""Copies of bases made beforehand: a new node takes one by renaming it, which costs nothing."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from neon_sandbox.entities import Base, Node
from neon_sandbox.errors import ClusterFailed
from neon_sandbox.storage.nodes import Nodes

log = logging.getLogger(__name__)

RECENT_SECONDS = 120.0
#: One at rest; a second while branches are being made, as they come in bursts.
SPARES_AT_REST, SPARES_IN_USE = 1, 2


class Spares:
    def __init__(self, nodes: Nodes, copy_base: Callable[[str, int, Path], None]) -> None:
        self._nodes = nodes
        self._copy_base = copy_base
        self._lock = threading.Lock()
        self._used: dict[tuple[str, int], float] = {}

    def keep_whole_ones(self) -> None:
        """Throws away what a killed predecessor left half-copied or half-dropped. The others are as good as before."""
        whole = {
            place
            for node in self._nodes.store.find(Node)
            for base in node.bases
            for place in self._places(node.id, base.number)
        }
        for path in self._nodes.root.glob("*/spare-*"):
            if path not in whole:
                self._nodes.throw_away(path)

    def take(self, node_id: str, number: int, target: Path) -> bool:
        """Moves a spare of the base to `target`; False when there is none."""
        self._used[node_id, number] = time.monotonic()
        with self._lock:
            for spare in self._found(node_id, number):
                spare.rename(target)
                return True
        return False

    def drop(self, node_id: str, number: int) -> None:
        with self._lock:
            for spare in self._found(node_id, number):
                self._nodes.throw_away(spare)

    def prepare(self) -> None:
        """Makes the spares that are missing, and throws away those of bases that are no longer used."""
        for node in self._nodes.store.find(Node, lambda node: node.ready):
            for base in node.bases:
                found, wanted = self._found(node.id, base.number), self._wanted(node, base)
                if not wanted and found:
                    self.drop(node.id, base.number)
                elif len(found) < wanted:
                    self._make(node.id, base.number)

    def _wanted(self, node: Node, base: Base) -> int:
        if node.sealed:
            return 0
        used = self._used.get((node.id, base.number))
        if used is not None and time.monotonic() - used < RECENT_SECONDS:
            return SPARES_IN_USE
        return SPARES_AT_REST if base == node.bases[-1] and self._nodes.is_running(node.id) else 0

    def _found(self, node_id: str, number: int) -> list[Path]:
        return [path for path in self._places(node_id, number) if path.exists()]

    def _places(self, node_id: str, number: int) -> list[Path]:
        return [self._nodes.dir(node_id) / f"spare-{number}-{k}" for k in range(SPARES_IN_USE)]

    def _make(self, node_id: str, number: int) -> None:
        unfinished = self._nodes.dir(node_id) / f"spare-{number}.new"
        self._nodes.throw_away(unfinished)
        try:
            self._copy_base(node_id, number, unfinished)
            with self._lock:
                free = [path for path in self._places(node_id, number) if not path.exists()]
                if free:
                    os.rename(unfinished, free[0])
        except (ClusterFailed, OSError) as error:
            log.info("No spare of %s this time: %s", node_id, error)
