"""What is left to do when a database is back: the points of the checklist, the review, and when they are due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from backups.domain.policy import Environment
from backups.domain.restore import RestoreKind


class PointCode(StrEnum):
    """One thing that has to be true again, or decided, after a restore."""

    APPLICATION = "application"  # its sessions are back, and its health page answers
    RELEASE = "release"  # the application's release fits the schema that came back
    WRITERS = "writers"  # maintenance mode off, jobs and queues running
    OTHER_SYSTEM = "other_system"  # one system that was not rewound; the point's subject names it
    PEOPLE = "people"  # who has to know has been told
    KEPT = "kept"  # how long the state before is kept, and whose it is
    COPY = "copy"  # what becomes of a copy that was handed over
    REVIEW = "review"


class PointState(StrEnum):
    """Where a point stands."""

    OPEN = "open"
    DONE = "done"
    NOT_NEEDED = "not_needed"


class KnownBy(StrEnum):
    """How it is known that a point is settled."""

    PORTAL = "portal"  # the worker saw it
    PERSON = "person"  # somebody said so


class ReviewSection(StrEnum):
    """What a review has to say before it can be signed."""

    WHAT_HAPPENED = "what_happened"
    ROOT_CAUSE = "root_cause"
    COMMUNICATION = "communication"
    PREVENTION = "prevention"
    IMPROVEMENT = "improvement"


#: A restore of the database takes none of these back; each is asked about by name.
OTHER_SYSTEMS = ("document store", "mail", "push messages", "payments", "search index", "caches")

#: Settled only by what people write elsewhere: signing the review.
SETTLED_ELSEWHERE = frozenset({PointCode.REVIEW})

REVIEW_WORKING_DAYS = 3


@dataclass(frozen=True, slots=True)
class Planned:
    """A point of a new checklist. A settled one carries the sentence of why the portal could settle it."""

    code: PointCode
    subject: str = ""
    state: PointState = PointState.OPEN
    sentence: str = ""


def points_for(
    *,
    kind: RestoreKind,
    environment: Environment,
    systems: Sequence[str],
    keeps_state_before: bool,
    head_before: str | None,
    head_after: str | None,
) -> tuple[Planned, ...]:
    """The points of a restore in the order in which they are worked on.

    `head_before` and `head_after`: newest migration on the branch before the restore and in the state that came
    back; None where it is not known.
    """
    if not kind.overwrites:
        points = [Planned(PointCode.COPY)]
    else:
        points = [_release(head_before, head_after), Planned(PointCode.WRITERS), Planned(PointCode.APPLICATION)]
        points += [Planned(PointCode.OTHER_SYSTEM, system) for system in systems]
        points += [Planned(PointCode.KEPT)] if keeps_state_before else []
    if environment is Environment.PRODUCTION:
        points += [Planned(PointCode.PEOPLE), Planned(PointCode.REVIEW)]
    return tuple(points)


def _release(head_before: str | None, head_after: str | None) -> Planned:
    if head_before is None or head_after is None:
        return Planned(PointCode.RELEASE, sentence="The newest migration is not known on both sides.")
    if head_before == head_after:
        sentence = f"Migration {head_after} is the newest before and after: the release need not change."
        return Planned(PointCode.RELEASE, state=PointState.DONE, sentence=sentence)
    return Planned(PointCode.RELEASE, sentence=f"The schema went from {head_before} to {head_after}.")


def review_due(completed_at: dt.datetime, *, working_days: int = REVIEW_WORKING_DAYS) -> dt.datetime:
    """The same time of day so many working days (Monday to Friday, UTC) later."""
    due = completed_at.astimezone(dt.UTC)
    left = working_days
    while left > 0:
        due += dt.timedelta(days=1)
        left -= due.weekday() < 5
    return due


@dataclass(frozen=True, slots=True)
class ApplicationSeen:
    """What one look at the application found. `sessions` and `health_status` are None where they are not known.

    `health_status` is the HTTP status of the branch's health address; `health_asked` is False where none is set.
    """

    sessions: Mapping[str, int] | None
    health_asked: bool = False
    health_status: int | None = None

    @property
    def session_count(self) -> int | None:
        return None if self.sessions is None else sum(self.sessions.values())


def application_is_back(before: Mapping[str, int] | None, seen: ApplicationSeen) -> bool:
    """Whether the portal may settle the point by itself.

    Every application that was connected before has a session again, together at least half as many as before, and
    the health address, where one is set, answers 2xx. Whatever is not known leaves the point to a person.
    """
    if not before or sum(before.values()) == 0 or seen.sessions is None:
        return False
    if any(not seen.sessions.get(name) for name, count in before.items() if count):
        return False
    if 2 * sum(seen.sessions.values()) < sum(before.values()):
        return False
    return not seen.health_asked or (seen.health_status is not None and 200 <= seen.health_status < 300)


def application_words(before: Mapping[str, int] | None, seen: ApplicationSeen | None) -> str:
    """What the last look found, as a sentence; unknown is said as unknown."""
    if seen is None:
        return "Not looked at yet."
    return f"{_session_words(before, seen.sessions)}{_health_words(seen)}"


def _session_words(before: Mapping[str, int] | None, now: Mapping[str, int] | None) -> str:
    if now is None:
        return "Open sessions: unknown."
    count = sum(now.values())
    if before is None:
        return f"{count} sessions are open; how many there were before is unknown."
    return f"{count} sessions are open; there were {sum(before.values())} before."


def _health_words(seen: ApplicationSeen) -> str:
    if not seen.health_asked:
        return ""
    if seen.health_status is None:
        return " Its health address does not answer."
    return f" Its health address answers {seen.health_status}."


@dataclass(frozen=True, slots=True)
class Lost:
    """How many rows of one kind look as if they had never been. `meaning` is the administrator's plain word."""

    meaning: str
    rows_at_least: int
    patient_safety: bool = False


def told_text(
    *,
    branch: str,
    lost_from: dt.datetime | None,
    lost_to: dt.datetime | None,
    lost: Sequence[Lost],
    kept_until: dt.datetime | None,
) -> str:
    """What people who work with the data have to know, to be copied into a message: times and counts, no patients."""
    since = f"after {_utc(lost_from)}" if lost_from else "after the chosen point"
    until = f" and before {_utc(lost_to)}" if lost_to else ""
    lines = [f"The database {branch} was taken back. Entries made {since}{until} are no longer in it."]
    safety = [each for each in lost if each.patient_safety]
    others = [each for each in lost if not each.patient_safety and each.meaning]
    if safety:
        lines.append(f"Check first: {_counts(safety)} look as if they had never been.")
    if others:
        lines.append(f"Also: {_counts(others)}.")
    if not lost:
        lines.append("How many entries that is could not be counted.")
    lines.append("Counts are the least that is known; changes to older entries are not counted.")
    if kept_until:
        lines.append(f"What was entered then is kept aside until {_utc(kept_until)} and can be looked up on request.")
    return "\n".join(lines)


def _counts(lost: Sequence[Lost]) -> str:
    return ", ".join(f"at least {each.rows_at_least} {each.meaning}" for each in lost)


def _utc(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def missing_sections(written: Mapping[ReviewSection, str]) -> tuple[ReviewSection, ...]:
    """The sections that still say nothing."""
    return tuple(section for section in ReviewSection if not written.get(section, "").strip())
