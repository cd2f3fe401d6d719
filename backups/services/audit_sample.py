"""Drawing a sample is on record: who drew what, with which seed, so that nobody draws until it suits."""

from __future__ import annotations

from django.db import transaction

from backups.domain.people import Actor
from backups.domain.period import Period
from backups.services.ledger import record_event


def record_sample(*, actor: Actor, population: str, period: Period, seed: str, size: int, with_sandbox: bool) -> None:
    """One event, in a transaction of its own."""
    with transaction.atomic():
        record_event(
            type="ledger.sampled",
            actor=actor,
            details={
                "population": population,
                "sample_seed": seed,
                "sample_size": size,
                "with_sandbox": with_sandbox,
                "period_from": period.begins_at,
                "period_to": period.ends_before,
            },
        )
