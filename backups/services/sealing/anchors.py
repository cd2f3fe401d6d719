"""Anchors: places outside of the database that keep checkpoints, where whoever owns the database cannot reach them.

A further kind (a git repository, a witness, tiles) is one more class with the members of `Anchor` and one more line in
`configured_anchors`.
"""

from __future__ import annotations

import datetime as dt
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.conf import settings

from backups.domain.anchor import Every, Rhythm
from backups.ledger.verifier.notes import Checkpoint, NoteRefused, parse_checkpoint
from backups.services.sealing.errors import AnchorFailed
from backups.services.sealing.memory import sync_directory

_SUFFIX = ".checkpoint"


#: A directory is late after this time beyond the pause between two rounds.
_SPARE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Taken:
    """Under what the checkpoint is found again, and what the anchor answered, if it can be checked by others."""

    reference: str
    evidence: bytes = b""


class Anchor(Protocol):
    """`gates`: an act that waits for the seal may go on once this anchor has the checkpoint."""

    @property
    def name(self) -> str: ...

    @property
    def gates(self) -> bool: ...

    @property
    def rhythm(self) -> Rhythm:
        """When it is to take a checkpoint: not every kind takes each."""

    def take(self, checkpoint: Checkpoint, *, at: dt.datetime) -> Taken:
        """Keeps the checkpoint. Twice is as good as once. Raises AnchorFailed."""

    def newest(self) -> Checkpoint | None:
        """The largest checkpoint that it holds, if it can tell. Raises AnchorFailed."""


@dataclass(frozen=True, slots=True)
class DirectoryAnchor:
    """One file for each checkpoint, never written twice: for a mount from elsewhere or storage that cannot forget.

    The files lie in one directory a month, because some stores get slow with very many names in one.
    """

    path: Path
    gates: bool

    @property
    def name(self) -> str:
        return f"directory:{self.path}"

    @property
    def rhythm(self) -> Rhythm:
        return Every(seconds=0, spare_seconds=settings.LEDGER_ANCHOR_SECONDS + _SPARE_SECONDS, at_once=True)

    def take(self, checkpoint: Checkpoint, *, at: dt.datetime) -> Taken:
        try:
            return Taken(self._path_of(checkpoint, at))
        except OSError as error:
            raise AnchorFailed(f"The directory {self.path} did not take a checkpoint: {error.strerror}.") from None

    def keep_beside(self, checkpoint: Checkpoint, evidence: bytes, *, suffix: str, at: dt.datetime) -> None:
        """Keeps what proves something of the checkpoint under its name and `suffix`, once. Raises AnchorFailed."""
        try:
            file = self.path / f"{self._path_of(checkpoint, at)}{suffix}"
            if not file.exists():
                _write_once(file, evidence)
        except OSError as error:
            raise AnchorFailed(f"The directory {self.path} did not take a checkpoint: {error.strerror}.") from None

    def _path_of(self, checkpoint: Checkpoint, at: dt.datetime) -> str:
        held = next((file for file in self._recent() if _size_in(file.name) == checkpoint.size), None)
        return self._same(held, checkpoint) if held else self._keep(checkpoint, at.astimezone(dt.UTC))

    def newest(self) -> Checkpoint | None:
        try:
            files = self._recent()
        except OSError as error:
            raise AnchorFailed(f"The directory {self.path} cannot be read: {error.strerror}.") from None
        return self._read(max(files, key=lambda file: _size_in(file.name))) if files else None

    def _keep(self, checkpoint: Checkpoint, at: dt.datetime) -> str:
        month = self.path / f"{at:%Y-%m}"
        if not month.is_dir():
            month.mkdir(exist_ok=True)
            _readable(month, 0o755)
            sync_directory(self.path)
        file = month / f"{at:%Y%m%dT%H%M%SZ}-{checkpoint.size:012d}{_SUFFIX}"
        _write_once(file, checkpoint.note.encode("utf-8"))
        return f"{month.name}/{file.name}"

    def _same(self, held: Path, checkpoint: Checkpoint) -> str:
        if self._read(held).root != checkpoint.root:
            raise AnchorFailed(
                f"The directory {self.path} holds another checkpoint of {checkpoint.size} events ({held.name}). One "
                "of the two logs is not the real one: run verify_ledger with this directory."
            )
        return f"{held.parent.name}/{held.name}"

    def _recent(self) -> list[Path]:
        """The checkpoints of the last two months that have any."""
        months = sorted(each for each in self.path.iterdir() if each.is_dir())[-2:]
        files = (file for month in months for file in month.iterdir())
        return [file for file in files if file.name.endswith(_SUFFIX) and _size_in(file.name) >= 0]

    def _read(self, file: Path) -> Checkpoint:
        try:
            return parse_checkpoint(file.read_text(encoding="utf-8"))
        except (OSError, NoteRefused) as error:
            raise AnchorFailed(f"The checkpoint {file.name} in {self.path} cannot be read: {error}.") from None


def _write_once(file: Path, kept: bytes) -> None:
    """What is there is never overwritten, and the name appears only with all of its bytes."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o444)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(kept)
        opened.flush()
        os.fsync(opened.fileno())
    _readable(beside, 0o444)
    try:
        os.link(beside, file)
    finally:
        beside.unlink()
    sync_directory(file.parent)


def _readable(path: Path, mode: int) -> None:
    """Checkpoints are no secret, whatever the process's umask; who may read them is up to the directory above."""
    with suppress(OSError):  # some stores know no modes
        path.chmod(mode)


def _size_in(name: str) -> int:
    size = name.removesuffix(_SUFFIX).partition("-")[2]
    return int(size) if size.isdecimal() else -1
