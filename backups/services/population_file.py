"""A whole population as CSV, with the ids that samples are drawn by. Taking one is on record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from django.db import transaction

from backups.domain.people import Actor
from backups.domain.period import Period
from backups.ledger.csv_file import csv_lines
from backups.selectors.audit.populations import Item, Population, members_of
from backups.services.ledger import record_event

COLUMNS = ("id", "when", "what", "who", "where", "result", "evidence")


def take_population(*, actor: Actor, population: Population, period: Period, with_sandbox: bool) -> Iterator[bytes]:
    """The lines, one by one, oldest first. The event is written before the first one leaves.

    Cells that a spreadsheet could run as a formula are guarded as in exports.
    """
    with transaction.atomic():
        record_event(
            type="ledger.population_taken",
            actor=actor,
            details={
                "population": population.slug,
                "with_sandbox": with_sandbox,
                "period_from": period.begins_at,
                "period_to": period.ends_before,
            },
        )
    return _lines(members_of(population, period, with_sandbox=with_sandbox))


def _lines(members: Iterable[Item]) -> Iterator[bytes]:
    yield csv_lines([COLUMNS])
    for item in members:
        yield csv_lines([_cells(item)])


def _cells(item: Item) -> list[str]:
    evidence = "no: sandbox" if item.is_sandbox else "yes"
    when = item.at.astimezone(dt.UTC).isoformat()
    return [item.id, when, item.what, item.who, item.where, item.result, evidence]
