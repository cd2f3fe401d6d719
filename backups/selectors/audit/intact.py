"""Is the record intact? What the database, the anchors and the last verification say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from backups.domain.anchor import Rhythm
from backups.domain.period import Period
from backups.models import LedgerEvent
from backups.models.sealing import AnchorReceipt, LedgerLeaf
from backups.selectors.sealing import SealStanding, oldest_unsealed, seal_standing, untaken_since

#: The sealer takes new records within seconds; reading this page is one of them.
_LONGEST_WAIT = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class OutsideCopy:
    """The newest checkpoint that one anchor took; None: none yet. `is_late`: by its own rhythm it should have more."""

    anchor: str
    size: int | None
    taken_at: dt.datetime | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class Intact:
    """`first`, `last`: places in the tree of the first and last record of the period; None: none is sealed.

    `waits_long`: the oldest record without a seal is older than the sealer may need.
    """

    standing: SealStanding
    unsealed_since: dt.datetime | None
    waits_long: bool
    copies: list[OutsideCopy]
    first: int | None
    last: int | None

    @property
    def in_time(self) -> int:
        return sum(copy.size is not None and not copy.is_late for copy in self.copies)


def intact(period: Period, anchors: Mapping[str, Rhythm], now: dt.datetime) -> Intact:
    """`anchors`: the names of those that are configured. Seven queries and three for each anchor."""
    waiting = oldest_unsealed(now=now)
    return Intact(
        standing=seal_standing(),
        unsealed_since=waiting,
        waits_long=waiting is not None and now - waiting > _LONGEST_WAIT,
        copies=[_copy(name, rhythm, now) for name, rhythm in anchors.items()],
        first=_place(period, "recorded_at", "id"),
        last=_place(period, "-recorded_at", "-id"),
    )


def _copy(anchor: str, rhythm: Rhythm, now: dt.datetime) -> OutsideCopy:
    receipts = AnchorReceipt.objects.filter(anchor=anchor).order_by("-checkpoint_id")
    newest = receipts.values_list("checkpoint_id", "taken_at").first()
    since = untaken_since(anchor)
    is_late = since is not None and rhythm.is_late(since=since, now=now)
    size, taken_at = newest or (None, None)
    return OutsideCopy(anchor, size, taken_at, is_late=is_late)


def _place(period: Period, *order: str) -> int | None:
    inside = LedgerEvent.objects.filter(recorded_at__gte=period.begins_at, recorded_at__lt=period.ends_before)
    event_id = inside.order_by(*order).values_list("pk", flat=True).first()
    return LedgerLeaf.objects.filter(event_id=event_id).values_list("index", flat=True).first() if event_id else None
