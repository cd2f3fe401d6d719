"""What the sealer remembers outside of the database: the tree that it signed last.

A database that is set back to an earlier point cannot take this file back with it, so the sealer notices.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backups.ledger.verifier.merkle import CompactRange
from backups.ledger.verifier.notes import Checkpoint, NoteRefused, parse_checkpoint
from backups.services.sealing.errors import SealRefused

_FILE = "sealed.json"
_FORM = "ccops.sealed/1"


@dataclass(frozen=True, slots=True)
class Memory:
    """The file in this directory."""

    directory: Path

    @property
    def path(self) -> Path:
        return self.directory / _FILE

    def read(self) -> tuple[CompactRange, Checkpoint] | None:
        """The tree and its checkpoint; None when nothing was signed here. Raises SealRefused for a damaged file."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            return _read(json.loads(text))
        except (ValueError, KeyError, TypeError, NoteRefused):
            raise SealRefused(
                "memory_damaged",
                f"The sealer's memory {self.path} cannot be read, so it cannot know what it signed last. Nothing is "
                "signed. Put the file back from a copy, or run adopt_ledger_state after a look at the anchors.",
            ) from None

    def write(self, tree: CompactRange, note: str) -> None:
        """Replaces the file in one step that a loss of power cannot halve."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        row = {"form": _FORM, "size": tree.size, "hashes": [each.hex() for each in tree.hashes], "note": note}
        write_whole(self.path, json.dumps(row, indent=1) + "\n")


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Writes beside, forces it to the disk, and moves it into its place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Forces the names in a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(row: dict[str, object]) -> tuple[CompactRange, Checkpoint]:
    if row["form"] != _FORM:
        raise ValueError("another form")
    hashes = row["hashes"]
    if not isinstance(hashes, list):
        raise TypeError("hashes")
    tree = CompactRange(int(str(row["size"])), [bytes.fromhex(str(each)) for each in hashes])
    checkpoint = parse_checkpoint(str(row["note"]))
    if (checkpoint.size, checkpoint.root) != (tree.size, tree.root()):
        raise ValueError("the tree is not that of its checkpoint")
    return tree, checkpoint
