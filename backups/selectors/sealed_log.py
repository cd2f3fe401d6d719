"""The sealed events in the order of the tree, read piece by piece, so that a million need no more memory than some."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Exists, Min, OuterRef, QuerySet, TextField
from django.db.models.functions import Cast

from backups.domain.anchor import TIME_STAMPS
from backups.models.event_columns import CONTRADICTIONS
from backups.models.ledger import FreeText, LedgerEvent
from backups.models.sealing import AnchorReceipt, LedgerCheckpoint, LedgerLeaf

_CHUNK = 5_000


class SealedEntry(NamedTuple):
    """`body` is None where the event is gone and only the leaf is left."""

    place: int
    hash: bytes
    body: bytes | None


# The event by its key, leaf by leaf: without statistics a join is planned as a walk over all events for each piece.
# COPY, because a million rows then cost the reader a second.
_COPY_ENTRIES = """
COPY (SELECT leaf.index, leaf.hash, found.body
        FROM (SELECT * FROM backups_ledgerleaf WHERE index >= %s AND index < %s) leaf
        LEFT JOIN LATERAL (SELECT body FROM backups_ledgerevent WHERE id = leaf.event_id LIMIT 1) found ON true
       ORDER BY leaf.index) TO STDOUT (FORMAT BINARY)
"""


def sealed_entries(*, until: int) -> Iterator[SealedEntry]:
    """Those with a place below `until`."""
    first = _next_place(0, until)
    while first is not None:
        end = min(first + _CHUNK, until)
        yield from _piece(first, end)
        first = _next_place(end, until)


def _next_place(begin: int, until: int) -> int | None:
    """So that a gap, which somebody may have made as wide as numbers go, is one step."""
    places = LedgerLeaf.objects.filter(index__gte=begin, index__lt=until)
    place: int | None = places.aggregate(first=Min("index"))["first"]
    return place


def _piece(first: int, end: int) -> list[SealedEntry]:
    """Whole, because until a COPY is over nothing else can be asked of the connection."""
    with connection.cursor() as cursor, cursor.copy(_COPY_ENTRIES, [first, end]) as copy:
        copy.set_types(["int8", "bytea", "bytea"])  # the text as the bytes that it is stored as
        return [SealedEntry(*row) for row in copy.rows()]


def tree_bounds() -> tuple[int, int]:
    """The number of leaves and the size of the newest checkpoint at one instant: the sealer adds both at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce((SELECT max(index) + 1 FROM backups_ledgerleaf), 0), "
            "coalesce((SELECT max(size) FROM backups_ledgercheckpoint), 0)"
        )
        leaves, newest = cursor.fetchone()
    return int(leaves), int(newest)


def checkpoints(*, until: int) -> Iterator[LedgerCheckpoint]:
    """Up to this size, the smallest first."""
    return LedgerCheckpoint.objects.filter(size__lte=until).order_by("size").iterator(chunk_size=_CHUNK)


def anchor_receipts(*, until: int) -> Iterator[AnchorReceipt]:
    """Of checkpoints up to this size, the smallest first."""
    receipts = AnchorReceipt.objects.filter(checkpoint_id__lte=until).defer("evidence").order_by("checkpoint_id", "pk")
    return receipts.iterator(chunk_size=_CHUNK)


def time_stamps(*, sizes: Sequence[int] | None = None) -> QuerySet[AnchorReceipt]:
    """Receipts with a time stamp, each with its checkpoint, the smallest first; of these checkpoints or of all."""
    receipts = AnchorReceipt.objects.filter(anchor__startswith=TIME_STAMPS).select_related("checkpoint")
    return (receipts if sizes is None else receipts.filter(checkpoint_id__in=sizes)).order_by("checkpoint_id", "pk")


def texts_of(event_ids: Sequence[UUID]) -> Iterator[FreeText]:
    """What people wrote with these events and nobody has erased."""
    for begin in range(0, len(event_ids), _CHUNK):
        yield from FreeText.objects.filter(pk__in=event_ids[begin : begin + _CHUNK], erased_at__isnull=True)


def written_texts() -> Iterator[FreeText]:
    """What people wrote and nobody has erased."""
    texts = FreeText.objects.filter(erased_at__isnull=True).select_related("event")
    return texts.only("text", "salt", "event__text_commitment").order_by("pk").iterator(chunk_size=_CHUNK)


def count_of_missing_texts() -> int:
    """Events that commit to words of which not even an erased row is left."""
    return LedgerEvent.objects.exclude(text_commitment="").filter(free_text__isnull=True).count()


def contradicting_events() -> Iterator[UUID]:
    """Events of which a searchable column says something else than the exact bytes."""
    after: str | None = str(UUID(int=0))
    while after:
        with connection.cursor() as cursor:
            cursor.execute(CONTRADICTIONS, [after, _CHUNK])
            after, found = cursor.fetchone()
        yield from found or ()


def erased_texts() -> tuple[int, int]:
    """How many texts are erased, and how many of them without an event that says so."""
    erased = FreeText.objects.filter(erased_at__isnull=False)
    told = LedgerEvent.objects.filter(
        type="text.erased", target_kind="event", target_id=Cast(OuterRef("pk"), TextField())
    )
    return erased.count(), erased.filter(~Exists(told)).count()


def unsealed_count(*, before: dt.datetime) -> int:
    """Events recorded before that time which have no place in the tree."""
    return LedgerEvent.objects.filter(leaf__isnull=True, recorded_at__lt=before).count()
