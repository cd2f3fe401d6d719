"""What the catalogue says of a type of event, and the words that it says it in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from backups.domain.people import ActorKind

PEOPLE = frozenset({ActorKind.HUMAN, ActorKind.SERVICE})
HUMANS = frozenset({ActorKind.HUMAN})
PORTAL = frozenset({ActorKind.SYSTEM})
ANYBODY = PEOPLE | PORTAL
EVEN_STRANGERS = frozenset(ActorKind)


class Retention(StrEnum):
    DECISION = "decision"
    """Kept while the portal is in use and six years beyond: decisions, restores, drills, policy."""
    ACTIVITY = "activity"
    """Kept seven years: log-ins, refusals, calls, notifications."""


@dataclass(frozen=True, slots=True)
class EventType:
    code: str
    meaning: str
    fields: frozenset[str]
    actors: frozenset[ActorKind]
    text: bool
    """Whether a person's own words may accompany it."""
    retention: Retention


#: type, meaning, fields, who can cause it, whether a person's words may accompany it, how long it is kept
Row: TypeAlias = tuple[str, str, str, frozenset[ActorKind], bool, Retention]
