"""Copies that are never written again share their equal files on disk."""

from __future__ import annotations

import filecmp
import os
from contextlib import suppress
from pathlib import Path


def share_equal_files(directory: Path, other: Path) -> int:
    """Replaces files of `directory` by hard links to equal ones of `other`; returns the bytes saved.

    Only for directories that nothing writes into: a change of one would be a change of both.
    """
    saved = 0
    for path in directory.rglob("*"):
        counterpart = other / path.relative_to(directory)
        with suppress(FileNotFoundError):
            if _equal(path, counterpart):
                saved += path.stat().st_size
                link = path.with_name(path.name + ".link")
                os.link(counterpart, link)
                os.replace(link, path)
    return saved


def _equal(path: Path, counterpart: Path) -> bool:
    if path.is_symlink() or not path.is_file() or not counterpart.is_file():
        return False
    size = path.stat().st_size
    if size == 0 or size != counterpart.stat().st_size or path.samefile(counterpart):
        return False
    return filecmp.cmp(path, counterpart, shallow=False)
