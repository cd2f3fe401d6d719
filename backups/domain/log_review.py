"""The regular review of the log: what is looked at, when it is due, who may mark and sign.

45 CFR 164.308(a)(1)(ii)(D) asks for regular reviews of records of system activity; a log that nobody read fails it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from backups.domain.people import Actor, Capability
from backups.domain.period import Period, week_of

#: The most of each kind that is always looked at.
MOST_OF_A_REASON = 10
#: So many refused log-ins of one name, or from one address, within one hour are a burst.
BURST = 5
#: A period reaches back into the one before, because an event is committed some moments after its time.
OVERLAP = dt.timedelta(minutes=2)
#: Beyond its day a review is late for so long before anybody is alarmed.
GRACE = dt.timedelta(days=1)
MAX_WORDS_CHARACTERS = 2000


class Reason(StrEnum):
    """Why an event is in a review: drawn, or of a kind that is always looked at. In the order of the page."""

    CRITICAL = "critical"
    OUTSIDE = "outside"
    SEAL = "seal"
    ACCESS = "access"
    REFUSED = "refused"
    BURST = "burst"
    SAMPLE = "sample"


class Mark(StrEnum):
    """What a person says of one event after looking at it."""

    OK = "ok"
    QUESTION = "question"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class ReviewOf:
    """What the rule for a week looks at: until when events were reviewed, and when that was signed."""

    ends_at: dt.datetime
    signed_at: dt.datetime


class WeekState(StrEnum):
    IN_TIME = "in_time"
    LATE = "late"
    MISSED = "missed"
    NOT_DUE = "not_due"
    NO_LOG = "no_log"


@dataclass(frozen=True, slots=True)
class ReviewedWeek:
    """One week of the log, and when the last of it was reviewed and signed."""

    week: Period
    state: WeekState
    signed_at: dt.datetime | None


def due_at(covered_until: dt.datetime, every_days: float) -> dt.datetime:
    """When the next review must be signed; `covered_until` is the end of what the last signed one looked at."""
    return covered_until + dt.timedelta(days=every_days)


def reviewed_weeks(
    signed: Sequence[ReviewOf], *, began_at: dt.datetime | None, now: dt.datetime, every_days: float, weeks: int
) -> list[ReviewedWeek]:
    """The last weeks, oldest first, the present one last. Reviews follow each other without a gap, so a week is done
    when one of them reaches to its end; `began_at` is the first event's time."""
    first = now.astimezone(dt.UTC).date() - dt.timedelta(weeks=weeks - 1)
    periods = [week_of(first + dt.timedelta(weeks=number)) for number in range(weeks)]
    return [_week(period, signed, began_at, now, every_days) for period in periods]


def _week(
    week: Period, signed: Sequence[ReviewOf], began_at: dt.datetime | None, now: dt.datetime, every_days: float
) -> ReviewedWeek:
    if began_at is None or week.ends_before <= began_at:
        return ReviewedWeek(week, WeekState.NO_LOG, None)
    last_day = due_at(week.ends_before, every_days) + GRACE
    done_at = min((each.signed_at for each in signed if each.ends_at >= week.ends_before), default=None)
    if done_at is not None:
        return ReviewedWeek(week, WeekState.IN_TIME if done_at <= last_day else WeekState.LATE, done_at)
    return ReviewedWeek(week, WeekState.NOT_DUE if now <= last_day else WeekState.MISSED, None)


def is_about(person_id: int | None, *, actor_ref: str, target_kind: str, target_id: str) -> bool:
    """Whether the person caused the event, or it is about that person's own account."""
    ref = f"user:{person_id}"
    return person_id is not None and (actor_ref == ref or (target_kind == "account" and target_id == ref))


@dataclass(frozen=True, slots=True)
class ReviewSituation:
    """What the rules for a signature look at. `unexplained`: problems with neither words nor a corrective action."""

    actor: Actor
    is_signed: bool
    items: int
    marked: int
    unexplained: int
    marked_own: int


def sign_refusal(situation: ReviewSituation) -> str | None:
    """Why the review can't be signed now; None when it can."""
    if not situation.actor.is_human or not situation.actor.may(Capability.REVIEW_LOG):
        return "Only an auditor or a manager signs the review of the log."
    if situation.is_signed:
        return "This review is signed already."
    if situation.marked < situation.items:
        return f"{situation.items - situation.marked} of {situation.items} events have no mark yet."
    if situation.unexplained:
        return "A problem needs words that explain it, or a corrective action."
    if situation.marked_own:
        return "You marked an event that you caused yourself, so somebody else must sign."
    return None
