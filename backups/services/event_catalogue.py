"""The catalogue of events, for pages."""

from __future__ import annotations

from dataclasses import dataclass

from backups.ledger.catalogue import CATALOGUE
from backups.ledger.catalogue_page import RETENTION
from backups.ledger.event_types import FIELDS_OF_PEOPLE, EventType
from backups.ledger.fields import kind_words


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One type. `fields`: each with the kind of its value."""

    declared: EventType
    fields: tuple[tuple[str, str], ...]
    actors: tuple[str, ...]
    kept: str


def families() -> list[str]:
    """Every family of types, by name."""
    return sorted({declared.family for declared in CATALOGUE.values()})


def catalogue_entries(*, family: str) -> list[CatalogueEntry]:
    """The types of a family, or all of them."""
    chosen = [declared for declared in CATALOGUE.values() if family in ("", declared.family)]
    return [
        CatalogueEntry(
            declared=declared,
            fields=tuple((name, kind_words(name)) for name in sorted(declared.fields - FIELDS_OF_PEOPLE)),
            actors=tuple(sorted(kind.value for kind in declared.actors)),
            kept=RETENTION[declared.retention],
        )
        for declared in sorted(chosen, key=lambda declared: declared.family)
    ]
