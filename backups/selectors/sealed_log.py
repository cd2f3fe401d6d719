"""The sealed events in the order of the tree, read piece by piece, so that a million need no more memory than some."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

from django.db import connection

from backups.models.ledger import FreeText, LedgerEvent
from backups.models.sealing import LedgerCheckpoint

_CHUNK = 5_000
_ROWS = """
SELECT leaf.index, leaf.hash, event.body FROM backups_ledgerleaf leaf
  LEFT JOIN backups_ledgerevent event ON event.id = leaf.event_id
 WHERE leaf.index >= %s AND leaf.index < %s ORDER BY leaf.index LIMIT %s
"""


class SealedEntry(NamedTuple):
    """`body` is None where the event is gone and only the leaf is left."""

    place: int
    hash: bytes
    body: str | None


def sealed_entries(*, until: int) -> Iterator[SealedEntry]:
    """Those with a place below `until`."""
    following = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_ROWS, [following, until, _CHUNK])
            rows = cursor.fetchall()
        yield from (SealedEntry(index, bytes(each), body) for index, each, body in rows)
        if len(rows) < _CHUNK:
            return
        following = rows[-1][0] + 1


def checkpoints() -> Iterator[LedgerCheckpoint]:
    """The smallest first."""
    return LedgerCheckpoint.objects.order_by("size").iterator(chunk_size=_CHUNK)


def written_texts() -> Iterator[FreeText]:
    """What people wrote and nobody has erased."""
    texts = FreeText.objects.filter(erased_at__isnull=True).select_related("event")
    return texts.only("text", "salt", "event__text_commitment").order_by("pk").iterator(chunk_size=_CHUNK)


def count_of_missing_texts() -> int:
    """Events that commit to words of which not even an erased row is left."""
    return LedgerEvent.objects.exclude(text_commitment="").filter(free_text__isnull=True).count()


def unsealed_count(*, before: dt.datetime) -> int:
    """Events recorded before that time which have no place in the tree."""
    return LedgerEvent.objects.filter(leaf__isnull=True, recorded_at__lt=before).count()
