"""What stands beside one event: in the sealed order, and in time."""

from __future__ import annotations

from dataclasses import dataclass

from backups.models import LedgerEvent, LedgerLeaf
from backups.selectors.event_list import Key, events_beside, key_of


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The events next to one; None at an end, and in the sealed order while the event is not sealed."""

    before_in_seal: LedgerEvent | None
    after_in_seal: LedgerEvent | None
    before_in_time: LedgerEvent | None
    after_in_time: LedgerEvent | None


def neighbours_of(event: LedgerEvent, *, index: int | None) -> Neighbours:
    """`index` is the event's place in the sealed order. Three queries."""
    key: Key = key_of(event)
    beside = _sealed_beside(index) if index is not None else {}
    before, after = events_beside(key)
    return Neighbours(
        before_in_seal=beside.get(index - 1) if index is not None else None,
        after_in_seal=beside.get(index + 1) if index is not None else None,
        before_in_time=before,
        after_in_time=after,
    )


def _sealed_beside(index: int) -> dict[int, LedgerEvent]:
    leaves = LedgerLeaf.objects.filter(index__in=(index - 1, index + 1)).select_related("event")
    return {leaf.index: leaf.event for leaf in leaves.defer("event__body", "event__members")}
