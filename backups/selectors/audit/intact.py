"""Is the record intact? What the database, the anchors and the last verification say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from backups.domain.period import Period
from backups.models import LedgerEvent
from backups.models.sealing import AnchorReceipt, LedgerCheckpoint, LedgerLeaf
from backups.selectors.sealing import SealStanding, oldest_unsealed, seal_standing


@dataclass(frozen=True, slots=True)
class OutsideCopy:
    """The newest checkpoint that one anchor took; None: none yet. `is_newest`: it is the newest of all."""

    anchor: str
    size: int | None
    taken_at: dt.datetime | None
    is_newest: bool


@dataclass(frozen=True, slots=True)
class Intact:
    """`first`, `last`: places in the tree of the first and last record of the period; None: none is sealed."""

    standing: SealStanding
    unsealed_since: dt.datetime | None
    copies: list[OutsideCopy]
    first: int | None
    last: int | None

    @property
    def agreeing(self) -> int:
        return sum(copy.is_newest for copy in self.copies)


def intact(period: Period, anchors: Sequence[str], now: dt.datetime) -> Intact:
    """`anchors`: the names of those that are configured. Eight queries and one for each anchor."""
    newest = LedgerCheckpoint.objects.order_by("-size").values_list("size", flat=True).first()
    return Intact(
        standing=seal_standing(),
        unsealed_since=oldest_unsealed(now=now),
        copies=[_copy(name, newest) for name in anchors],
        first=_place(period, "recorded_at", "id"),
        last=_place(period, "-recorded_at", "-id"),
    )


def _copy(anchor: str, newest: int | None) -> OutsideCopy:
    receipt = AnchorReceipt.objects.filter(anchor=anchor).order_by("-checkpoint_id").first()
    if receipt is None:
        return OutsideCopy(anchor, None, None, is_newest=False)
    return OutsideCopy(anchor, receipt.checkpoint_id, receipt.taken_at, is_newest=receipt.checkpoint_id == newest)


def _place(period: Period, *order: str) -> int | None:
    inside = LedgerEvent.objects.filter(recorded_at__gte=period.begins_at, recorded_at__lt=period.ends_before)
    event_id = inside.order_by(*order).values_list("pk", flat=True).first()
    return LedgerLeaf.objects.filter(event_id=event_id).values_list("index", flat=True).first() if event_id else None
