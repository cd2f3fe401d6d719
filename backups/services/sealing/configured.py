"""The anchors of this installation's settings."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from backups.services.sealing.anchors import Anchor, DirectoryAnchor
from backups.services.sealing.digest import MailDigest, SlackDigest
from backups.services.sealing.timestamp import TimeStampAnchor


def configured_anchors() -> list[Anchor]:
    """Those that answer fastest first: what waits for the seal waits for the ones before its own too."""
    gating: list[Anchor] = [DirectoryAnchor(Path(path), gates=True) for path in settings.LEDGER_ANCHOR_DIRS]
    further: list[Anchor] = [DirectoryAnchor(Path(path), gates=False) for path in settings.LEDGER_FURTHER_ANCHOR_DIRS]
    return [*gating, *further, *_time_stamps(), *_digests()]


def _time_stamps() -> list[Anchor]:
    if not settings.LEDGER_TSA_URL:
        return []
    beside = tuple(Path(path) for path in (*settings.LEDGER_ANCHOR_DIRS, *settings.LEDGER_FURTHER_ANCHOR_DIRS))
    return [TimeStampAnchor(url=settings.LEDGER_TSA_URL, gates=settings.LEDGER_TSA_GATES, beside=beside)]


def _digests() -> list[Anchor]:
    mails: list[Anchor] = [MailDigest(to=address) for address in settings.LEDGER_DIGEST_MAIL]
    return [*mails, *([SlackDigest(settings.LEDGER_DIGEST_SLACK)] if settings.LEDGER_DIGEST_SLACK else [])]
