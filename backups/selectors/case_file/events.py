"""Every event of one case, in order of time, with its place in the tree."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import F, OuterRef, Q, Subquery

from backups.models import AnchorReceipt, LedgerEvent


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """`place`: its leaf; None while it is not sealed. `anchored_at`: when an anchor that acts wait for had it."""

    event: LedgerEvent
    place: int | None
    anchored_at: dt.datetime | None


def events_about(about: Q) -> list[CaseEvent]:
    """All of them, oldest first, without their bytes. One query."""
    # An anchor is given the newest checkpoint only, so its first one over the leaf is also its earliest.
    places = AnchorReceipt.objects.filter(gates=True, checkpoint_id__gt=OuterRef("leaf__index")).order_by(
        "checkpoint_id", "pk"
    )
    found = (
        LedgerEvent.objects.filter(about)
        .annotate(place=F("leaf__index"), anchored_at=Subquery(places.values("taken_at")[:1]))
        .defer("body")
        .order_by("recorded_at", "id")
    )
    return [CaseEvent(each, each.place, each.anchored_at) for each in found]


def events_of_reference(reference: str) -> list[CaseEvent]:
    """What is about R-0142 or D-0088, and what its runs did: they carry the reference as their correlation."""
    return events_about(Q(target_id=reference) | Q(correlation=reference))
