"""The events of an export, page by page in the order in which they were recorded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from backups.domain.export import ExportScope, ExportState
from backups.models import LedgerExport
from backups.models.ledger import LedgerEvent
from backups.models.sealing import LedgerLeaf

CHUNK = 2_000

_SANDBOX = "sandbox"


class ExportedEvent(NamedTuple):
    """`place` and `leaf_hash` are None while the event is not sealed."""

    id: UUID
    type: str
    body: str
    actor_name: str
    world: str
    place: int | None
    leaf_hash: bytes | None

    @property
    def is_sandbox(self) -> bool:
        return self.world == _SANDBOX


def events_of(scope: ExportScope, *, before: dt.datetime) -> QuerySet[LedgerEvent]:
    """Those of the scope that were recorded before this moment."""
    events = LedgerEvent.objects.filter(recorded_at__lt=before)
    if scope.period:
        events = events.filter(recorded_at__gte=scope.period.begins_at, recorded_at__lt=scope.period.ends_before)
    if scope.family:
        events = events.filter(family=scope.family.removesuffix("."))
    if scope.person.startswith("kind:"):
        events = events.filter(actor_kind=scope.person.removeprefix("kind:"))
    elif scope.person:
        events = events.filter(actor_ref=scope.person)
    if scope.target:
        events = events.filter(target_id=scope.target)
    return events if scope.with_sandbox else events.exclude(world=_SANDBOX)


def pages_of(scope: ExportScope, *, before: dt.datetime) -> Iterator[list[ExportedEvent]]:
    """By key, in pages of at most CHUNK, so that no statement grows with the log (it would be cut off after 15 s)."""
    events = events_of(scope, before=before).order_by("recorded_at", "id")
    columns = ("id", "type", "body", "actor_name", "world", "recorded_at")
    following = Q()
    while True:
        rows = list(events.filter(following).values_list(*columns)[:CHUNK])
        if rows:
            leaves = _leaves([row[0] for row in rows])
            yield [ExportedEvent(*row[:-1], *leaves.get(row[0], (None, None))) for row in rows]
        if len(rows) < CHUNK:
            return
        following = _after(at=rows[-1][-1], event_id=rows[-1][0])


def _after(*, at: dt.datetime, event_id: UUID) -> Q:
    """The first condition is what the index on both columns is walked from; a bare OR would begin at its beginning."""
    return Q(recorded_at__gte=at) & (Q(recorded_at__gt=at) | Q(pk__gt=event_id))


def _leaves(event_ids: list[UUID]) -> dict[UUID, tuple[int, bytes]]:
    found = LedgerLeaf.objects.filter(event__in=event_ids).values_list("event_id", "index", "hash")
    return {event_id: (index, bytes(each)) for event_id, index, each in found}


def exports() -> QuerySet[LedgerExport]:
    """The newest first."""
    return LedgerExport.objects.order_by("-asked_at", "-pk")


def open_exports() -> QuerySet[LedgerExport]:
    """Those that a worker has still to do with, the oldest first."""
    return LedgerExport.objects.filter(state__in=[ExportState.WAITING, ExportState.RUNNING]).order_by("asked_at", "pk")
