"""The anchors of this installation's settings."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from backups.services.sealing.anchors import Anchor, DirectoryAnchor
from backups.services.sealing.timestamp import TimeStampAnchor


def configured_anchors() -> list[Anchor]:
    """Those that answer fastest first: what waits for the seal waits for the ones before its own too."""
    gating: list[Anchor] = [DirectoryAnchor(Path(path), gates=True) for path in settings.LEDGER_ANCHOR_DIRS]
    further: list[Anchor] = [DirectoryAnchor(Path(path), gates=False) for path in settings.LEDGER_FURTHER_ANCHOR_DIRS]
    return [*gating, *further, *_time_stamps()]


def _time_stamps() -> list[Anchor]:
    if not settings.LEDGER_TSA_URL:
        return []
    beside = tuple(Path(path) for path in (*settings.LEDGER_ANCHOR_DIRS, *settings.LEDGER_FURTHER_ANCHOR_DIRS))
    return [TimeStampAnchor(url=settings.LEDGER_TSA_URL, gates=settings.LEDGER_TSA_GATES, beside=beside)]
