"""How far the ledger is sealed and anchored, and whether the sealer refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db.models import QuerySet

from backups.models.ledger import LedgerEvent
from backups.models.sealing import AnchorReceipt, LedgerCheckpoint, LedgerLeaf, SealerRefusal


def open_refusals() -> QuerySet[SealerRefusal]:
    """While there is one, no production restore starts."""
    return SealerRefusal.objects.filter(resolved_at__isnull=True).order_by("pk")


def oldest_unsealed(*, now: dt.datetime) -> dt.datetime | None:
    """When the oldest event of the last day was recorded that has no place in the tree; None when all have one."""
    recent = LedgerEvent.objects.filter(recorded_at__gt=now - dt.timedelta(days=1), leaf__isnull=True)
    return recent.order_by("recorded_at", "id").values_list("recorded_at", flat=True).first()


def unanchored_since() -> dt.datetime | None:
    """When the first checkpoint was signed that no gating anchor has taken since, nor a later one; None for none."""
    receipt = newest_receipt(gating=True)
    later = LedgerCheckpoint.objects.filter(size__gt=receipt.checkpoint_id if receipt else 0).order_by("size")
    return later.values_list("signed_at", flat=True).first()


def newest_receipt(*, gating: bool = False) -> AnchorReceipt | None:
    """Of the largest checkpoint that an anchor has."""
    receipts = AnchorReceipt.objects.filter(gates=True) if gating else AnchorReceipt.objects.all()
    return receipts.order_by("-checkpoint_id").first()


def unsealed_among(event_ids: Iterable[object]) -> set[object]:
    """Those of the events that lie under no checkpoint which a gating anchor has taken."""
    wanted = set(event_ids)
    receipt = newest_receipt(gating=True)
    if receipt is None:
        return wanted
    sealed = LedgerLeaf.objects.filter(event_id__in=wanted, index__lt=receipt.checkpoint_id)
    return wanted - set(sealed.values_list("event_id", flat=True))
