"""How far the ledger is sealed and anchored, and whether the sealer refused."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from backups.models.sealing import AnchorReceipt, LedgerLeaf, SealerRefusal


def open_refusals() -> QuerySet[SealerRefusal]:
    """While there is one, no production restore starts."""
    return SealerRefusal.objects.filter(resolved_at__isnull=True).order_by("pk")


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
