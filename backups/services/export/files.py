"""The directory of exports: for the portal's own user alone, because the files hold what people wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from django.conf import settings

from backups.models import LedgerExport


def path_of(export: LedgerExport) -> Path:
    """Where the finished file is."""
    return Path(settings.LEDGER_EXPORT_DIR) / export.file_name


def part_of(export: LedgerExport) -> Path:
    """Where this attempt writes: a worker that was replaced and goes on does not write into the file of the other."""
    return path_of(export).with_name(f".{export.file_name}.{export.attempts}.part")


def new_file(path: Path) -> IO[bytes]:
    """An empty file that only its owner reads. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def put_in_place(part: Path, path: Path) -> None:
    """After a loss of power there is the whole file or none. Raises OSError."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def remove_parts(export: LedgerExport) -> None:
    """What attempts left behind that did not end."""
    for part in path_of(export).parent.glob(f".{export.file_name}.*.part"):
        part.unlink(missing_ok=True)
