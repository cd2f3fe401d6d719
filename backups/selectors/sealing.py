"""How far the ledger is sealed and anchored, and whether the sealer refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from backups.domain.ledger import Outcome
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


def untaken_since(anchor: str) -> dt.datetime | None:
    """When the first checkpoint was signed that this anchor has not taken, nor a later one; None when it has all."""
    receipts = AnchorReceipt.objects.filter(anchor=anchor)
    size = receipts.order_by("-checkpoint_id").values_list("checkpoint_id", flat=True).first()
    later = LedgerCheckpoint.objects.filter(size__gt=size or 0).order_by("size")
    return later.values_list("signed_at", flat=True).first()


def newest_receipt(*, gating: bool = False) -> AnchorReceipt | None:
    """Of the largest checkpoint that an anchor has."""
    receipts = AnchorReceipt.objects.filter(gates=True) if gating else AnchorReceipt.objects.all()
    return receipts.order_by("-checkpoint_id").defer("evidence").first()


@dataclass(frozen=True, slots=True)
class SealStanding:
    """How the log stands. `sealed`: records under the newest checkpoint; None: nothing was ever sealed.

    `verified_at` and `was_intact` are of the newest verification of the whole log; None: there was none.
    """

    sealed: int | None
    sealed_at: dt.datetime | None
    kept_outside_at: dt.datetime | None
    verified_at: dt.datetime | None
    was_intact: bool | None
    refusal: str


def seal_standing() -> SealStanding:
    """For pages. Four queries."""
    newest = LedgerCheckpoint.objects.order_by("-size").only("size", "signed_at").first()
    receipt = newest_receipt()
    verified = LedgerEvent.objects.filter(type="ledger.verified").order_by("-recorded_at", "-id").first()
    refusal = open_refusals().first()
    return SealStanding(
        sealed=newest.size if newest else None,
        sealed_at=newest.signed_at if newest else None,
        kept_outside_at=receipt.taken_at if receipt else None,
        verified_at=verified.recorded_at if verified else None,
        was_intact=verified.outcome == Outcome.SUCCESS if verified else None,
        refusal=refusal.sentence if refusal else "",
    )


def unsealed_among(event_ids: Iterable[object]) -> set[object]:
    """Those of the events that lie under no checkpoint which a gating anchor has taken."""
    wanted = set(event_ids)
    receipt = newest_receipt(gating=True)
    if receipt is None:
        return wanted
    sealed = LedgerLeaf.objects.filter(event_id__in=wanted, index__lt=receipt.checkpoint_id)
    return wanted - set(sealed.values_list("event_id", flat=True))
