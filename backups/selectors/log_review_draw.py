"""Which events of a period are looked at: some by lot, and some kinds always.

The lot is the order of SHA-256(seed ":" event id). The database computes it along the index `ledger_newest`, which
holds time and id, so it reads no event, and keeps the first few only: about two seconds for a million.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import BinaryField, F, Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast

from backups.domain.log_review import BURST, MOST_OF_A_REASON, Reason
from backups.models import LedgerEvent

#: Kinds that are always looked at. Each is served by the index `ledger_by_type`.
ALWAYS: Mapping[Reason, Q] = {
    Reason.CRITICAL: Q(type="finding.opened", members__data__severity="critical")
    & ~Q(members__data__control="outside"),
    Reason.OUTSIDE: Q(type="finding.opened", members__data__control="outside") | Q(type="retrospective.filed"),
    Reason.SEAL: Q(type__in=["request.seal_waived", "ledger.refused", "ledger.refusal_resolved"]),
    Reason.ACCESS: Q(
        type__in=[
            "access.role_granted",
            "access.role_revoked",
            "access.account_created",
            "access.account_changed",
            "access.password_changed",
            "policy.changed",
            "project.label_lowered",
            "secret.changed",
            "token.made",
        ]
    ),
    Reason.REFUSED: Q(type="access.refused"),
}

# One event stands for its burst. A name is guessed from many addresses, or many names from one.
_BURSTS = """
WITH failed AS MATERIALIZED (
    SELECT id, recorded_at, members #>> '{src,ip}' AS address,
           coalesce(members #>> '{data,login_hash}', target_id) AS login
      FROM backups_ledgerevent
     WHERE type = 'access.login_failed' AND recorded_at >= %(since)s AND recorded_at < %(until)s
), bursts AS (
    SELECT (array_agg(id ORDER BY recorded_at, id))[1] AS id, count(*) AS size
      FROM failed, LATERAL (VALUES ('address', address), ('login', login)) AS by_what(kind, value)
     WHERE value IS NOT NULL GROUP BY kind, value, date_trunc('hour', recorded_at) HAVING count(*) >= %(burst)s
)
SELECT id FROM bursts GROUP BY id ORDER BY max(size) DESC, id
"""


@dataclass(frozen=True, slots=True)
class Draw:
    """What one review looks at. `left_out`: by reason, how many more of that kind there were."""

    population: int
    items: tuple[tuple[UUID, Reason], ...]
    left_out: Mapping[str, int]


def draw(*, since: dt.datetime, until: dt.datetime, seed: int, sample_size: int) -> Draw:
    """The events of [since, until). The same seed gives the same answer, whoever computes it."""
    within = LedgerEvent.objects.filter(recorded_at__gte=since, recorded_at__lt=until).order_by()
    lot = list(by_lot(within, seed).values_list("pk", flat=True)[:sample_size])
    found = {reason: _first(within.filter(condition), seed) for reason, condition in ALWAYS.items()}
    bursts = _bursts(since, until)
    found[Reason.BURST] = (bursts[:MOST_OF_A_REASON], len(bursts))
    return Draw(
        population=within.count(),
        items=tuple(_each_once(lot, {reason: ids for reason, (ids, _) in found.items()})),
        left_out={reason.value: count - len(ids) for reason, (ids, count) in found.items() if count > len(ids)},
    )


def by_lot(events: QuerySet[LedgerEvent], seed: int) -> QuerySet[LedgerEvent]:
    """The events in the order of SHA-256(seed ":" id)."""
    return events.alias(
        lot=Func(
            Value(f"{seed}:"),
            Cast(F("id"), TextField()),
            arg_joiner=" || ",
            template="sha256(convert_to(%(expressions)s, 'UTF8'))",
            output_field=BinaryField(),
        )
    ).order_by("lot")


def _first(events: QuerySet[LedgerEvent], seed: int) -> tuple[list[UUID], int]:
    """By lot here too: whoever floods the log can't choose which of a kind are seen."""
    ids = list(by_lot(events, seed).values_list("pk", flat=True)[:MOST_OF_A_REASON])
    return ids, events.count() if len(ids) == MOST_OF_A_REASON else len(ids)


def _bursts(since: dt.datetime, until: dt.datetime) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_BURSTS, {"since": since, "until": until, "burst": BURST})
        return [event_id for (event_id,) in cursor.fetchall()]


def _each_once(lot: list[UUID], always: Mapping[Reason, list[UUID]]) -> Iterator[tuple[UUID, Reason]]:
    """What is drawn by lot says so, also where it would have been looked at anyway."""
    seen = set(lot)
    for reason in Reason:
        for event_id in always.get(reason, ()):
            if event_id not in seen:
                seen.add(event_id)
                yield event_id, reason
    yield from ((event_id, Reason.SAMPLE) for event_id in lot)
