"""What all case files show alike: people's words with their hash, and the events of the case."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from backups.admin.audit.event_words import event_url, meaning_of
from backups.domain.people import Actor
from backups.models import FreeText
from backups.selectors.case_file.events import CaseEvent
from backups.selectors.clock import database_now
from backups.services.ledger import words_match


@dataclass(frozen=True, slots=True)
class ShownWords:
    """`verdict`: what the hash in the event says of the words. `is_bad`: they are not those that were written."""

    text: str
    verdict: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Made:
    """When this copy of a case file was made, and for whom: a page that was printed says how old it is."""

    at: dt.datetime
    reader: str


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One line of the timeline."""

    on_file: CaseEvent
    meaning: str
    url: str


def made_for(actor: Actor) -> Made:
    """By the database's clock, as the event of the reading is."""
    return Made(database_now(), actor.name)


def shown_words(words: FreeText | None) -> ShownWords | None:
    """None where nothing was written. The words' event must be loaded with them."""
    if words is None:
        return None
    if words.erased_at:
        return ShownWords("", f"erased on {words.erased_at:%Y-%m-%d %H:%M} UTC", is_bad=False)
    if words_match(words.event, words):
        return ShownWords(words.text, "matches its hash", is_bad=False)
    return ShownWords(words.text, "DOES NOT MATCH ITS HASH", is_bad=True)


def shown_events(events: Iterable[CaseEvent]) -> list[ShownEvent]:
    """In the order given."""
    return [ShownEvent(each, meaning_of(each.event.type), event_url(each.event)) for each in events]
