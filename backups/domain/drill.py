"""Drills: rehearsed recoveries, automatic or logged by people, and what is known of a branch because of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class DrillType(StrEnum):
    """How much of a recovery was rehearsed (NIST SP 800-84 words)."""

    TABLETOP = "tabletop"  # people talk it through
    FUNCTIONAL = "functional"  # the database is really recovered, beside production
    FULL = "full"  # people and systems, as in an incident


class PointChoice(StrEnum):
    """How a plan chooses the moment that is recovered."""

    LATEST = "latest"
    FIXED_AGE = "fixed_age"
    RANDOM = "random"  # anywhere inside the history window; the seed is recorded


class ScheduleKind(StrEnum):
    """When a plan's drills begin by themselves."""

    BY_HAND = "by_hand"
    CRON = "cron"
    INTERVAL = "interval"


class SlotState(StrEnum):
    """What became of one planned time."""

    TAKEN = "taken"  # its drill was begun
    MISSED = "missed"  # the portal was not running, or the time passed otherwise: never made up in silence


class DrillState(StrEnum):
    """Where a drill stands."""

    PLANNED = "planned"  # by hand: announced, not held yet
    WAITING = "waiting"  # automatic: its run has not begun, or it yields to a production request
    RUNNING = "running"
    ENDED = "ended"
    CANCELLED = "cancelled"


class DrillOutcome(StrEnum):
    """What a drill has shown. Inconclusive proves nothing and is never counted as good."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


OPEN_DRILL = frozenset({DrillState.PLANNED, DrillState.WAITING, DrillState.RUNNING})


class FindingSeverity(StrEnum):
    """How much a drill's finding matters."""

    MAJOR = "major"
    MINOR = "minor"
    OBSERVATION = "observation"


class Proof(StrEnum):
    """How well a branch's recovery is proven at this moment; it decays by itself."""

    PROVEN = "proven"
    DOUBTFUL = "doubtful"  # young enough, but a newer drill has failed
    FADING = "fading"  # the last good drill is older than the plan's limit
    STALE = "stale"  # older than twice the limit
    NEVER = "never"
    NO_PLAN = "no_plan"


#: Beyond the limit a proof fades; beyond the limit times this it is worth nothing.
STALE_FACTOR = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """What drills say of one branch now. `limit_seconds`: the longest age of a good drill that its plans allow."""

    proof: Proof
    last_good_at: dt.datetime | None
    limit_seconds: int | None
    last_outcome: DrillOutcome | None
    last_ended_at: dt.datetime | None


def proof_of(
    *, now: dt.datetime, last_good_at: dt.datetime | None, limit_seconds: int | None, newest_failed: bool = False
) -> Proof:
    """How far the last good drill still proves recovery. Silence never makes it better, and a newer failure worse."""
    if limit_seconds is None:
        return Proof.NO_PLAN
    if last_good_at is None:
        return Proof.NEVER
    age_seconds = (now - last_good_at).total_seconds()
    if age_seconds <= limit_seconds:
        return Proof.DOUBTFUL if newest_failed else Proof.PROVEN
    return Proof.FADING if age_seconds <= STALE_FACTOR * limit_seconds else Proof.STALE
