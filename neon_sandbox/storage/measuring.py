"""How large nodes are, from their files alone: nothing is started."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from neon_sandbox.entities import Node
from neon_sandbox.storage.nodes import Nodes, segment_of


def size_bytes(nodes: Nodes, node_id: str) -> int:
    """What pg_database_size adds up to over all databases. 0 for a node that is not there."""
    node = nodes.store.get(Node, node_id)
    sealed = node is not None and node.sealed
    directory = nodes.dir(node_id) / "bases" / "1" if sealed else nodes.data_dir(node_id)
    return sum(_files_bytes(database) for database in _entries(directory / "base"))


def history_bytes(nodes: Nodes, node_id: str, since: datetime) -> int:
    """The WAL written since that moment, as far as it is kept: archived, or still in the server's own directory."""
    written_from = nodes.clock.real(since).timestamp()
    # The archive holds links to the same files, so each is counted once, by its number on the disk.
    sizes: dict[int, int] = {}
    for directory in (nodes.dir(node_id) / "wal", nodes.data_dir(node_id) / "pg_wal"):
        for entry in _entries(directory):
            found = _status(entry) if segment_of(entry.name) else None
            if found is not None and found.st_mtime >= written_from:
                sizes[found.st_ino] = found.st_size
    return sum(sizes.values())


def _files_bytes(database: os.DirEntry[str]) -> int:
    return sum(found.st_size for entry in _entries(Path(database.path)) if (found := _status(entry)))


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except FileNotFoundError:  # the running server has dropped it meanwhile
        return None
