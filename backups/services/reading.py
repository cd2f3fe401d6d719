"""Reading the record is itself on the record (45 CFR 164.312(b): examine activity, the examiners' included)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from django.db import transaction
from django.utils.crypto import salted_hmac

from backups.domain.ledger import NO_TARGET, Target
from backups.domain.people import Actor
from backups.ledger.fields import Detail
from backups.models.ledger import LedgerEvent
from backups.services.ledger import record_event

Narrowed: TypeAlias = Mapping[str, str | Sequence[str]]


def record_reading(
    *, actor: Actor, page: str, narrowed_by: Narrowed | None = None, target: Target = NO_TARGET
) -> LedgerEvent:
    """Writes who read which page, in a transaction of its own; call it once for each page, before it is shown.

    `page` is a short code such as `events` or `case_file`; `target` is what the page is about, if it is about one
    thing. `narrowed_by` is the filter or search; with one that says something the event is `ledger.searched` and
    carries its hash. Whatever it raises must keep the page from being shown: no reading without its record.
    """
    details: dict[str, Detail] = {"page": page}
    narrowed = canonical_filter(narrowed_by or {})
    if narrowed:
        details["filter_sha256"] = filter_hash(narrowed)
    with transaction.atomic(durable=True):
        return record_event(
            type="ledger.searched" if narrowed else "ledger.read", actor=actor, target=target, details=details
        )


def canonical_filter(narrowed_by: Narrowed) -> dict[str, list[str]]:
    """The same filter always in the same form: names in order, values in order, nothing that is empty."""
    listed = {name: [value] if isinstance(value, str) else list(value) for name, value in narrowed_by.items()}
    kept = {name: sorted(value for value in values if value) for name, values in listed.items()}
    return {name: values for name, values in sorted(kept.items()) if values}


def filter_hash(narrowed_by: Narrowed) -> str:
    """Tells whether two filters were the same, and not what was looked for.

    Keyed with the portal's secret, because somebody may search for a patient's number, and the plain hash of one is
    found by trying all numbers.
    """
    text = json.dumps(canonical_filter(narrowed_by), separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{salted_hmac('backups.ledger.filter', text, algorithm='sha256').hexdigest()}"
