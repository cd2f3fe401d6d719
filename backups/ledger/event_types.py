"""What the catalogue says of a type of event, and the words that it says it in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypeAlias

from backups.domain.people import ActorKind

PEOPLE = frozenset({ActorKind.HUMAN, ActorKind.SERVICE})
HUMANS = frozenset({ActorKind.HUMAN})
PORTAL = frozenset({ActorKind.SYSTEM})
ANYBODY = PEOPLE | PORTAL
EVEN_STRANGERS = frozenset(ActorKind)

#: What each event that a person can cause may carry: the kinds of personal data that the portal thought it saw in what
#: was typed, and of which the writer said that they are none.
FIELDS_OF_PEOPLE = frozenset({"scan_overridden"})


class Retention(StrEnum):
    DECISION = "decision"
    """Kept while the portal is in use and six years beyond: decisions, restores, drills, policy."""
    ACTIVITY = "activity"
    """Kept RETENTION_YEARS, seven by default: log-ins, refusals, calls, notifications."""


class OcsfClass(IntEnum):
    """The class (`class_uid`) under which the Open Cybersecurity Schema Framework knows a type of event."""

    DETECTION_FINDING = 2004
    ACCOUNT_CHANGE = 3001
    AUTHENTICATION = 3002
    ENTITY_MANAGEMENT = 3004
    USER_ACCESS_MANAGEMENT = 3005
    APPLICATION_LIFECYCLE = 6002
    API_ACTIVITY = 6003

    @property
    def label(self) -> str:
        """As the framework names it, such as `API Activity`."""
        return " ".join("API" if word == "API" else word.capitalize() for word in self.name.split("_"))


@dataclass(frozen=True, slots=True)
class EventType:
    code: str
    meaning: str
    fields: frozenset[str]
    actors: frozenset[ActorKind]
    text: bool
    """Whether a person's own words may accompany it."""
    retention: Retention
    ocsf_class: OcsfClass

    @property
    def family(self) -> str:
        """What stands before the dot of the code."""
        return self.code.partition(".")[0]


#: type, meaning, fields, who can cause it, whether a person's words may accompany it, how long it is kept
Row: TypeAlias = tuple[str, str, str, frozenset[ActorKind], bool, Retention]
