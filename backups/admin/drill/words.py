"""The words of the drill pages for the words of the code."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backups.admin.words import distance
from backups.domain.consequence import span
from backups.domain.drill import (
    DrillOutcome,
    DrillState,
    DrillType,
    FindingSeverity,
    PointChoice,
    Proof,
    Standing,
)
from backups.models import Drill

TYPE = {
    DrillType.TABLETOP: "Tabletop: people talk it through",
    DrillType.FUNCTIONAL: "Functional: the database is really recovered, beside production",
    DrillType.FULL: "Full: people and systems, as in an incident",
}
TYPE_SHORT = {
    DrillType.TABLETOP: "tabletop",
    DrillType.FUNCTIONAL: "functional",
    DrillType.FULL: "full exercise",
}
STATE = {
    DrillState.PLANNED: "Planned",
    DrillState.WAITING: "Waiting for its turn",
    DrillState.RUNNING: "Running",
    DrillState.ENDED: "Ended",
    DrillState.CANCELLED: "Cancelled: it shows nothing",
}
OUTCOME = {
    DrillOutcome.PASSED: "Passed",
    DrillOutcome.FAILED: "Failed",
    DrillOutcome.INCONCLUSIVE: "Could not tell",
}
OUTCOME_TONE = {DrillOutcome.PASSED: "good", DrillOutcome.FAILED: "bad", DrillOutcome.INCONCLUSIVE: "unknown"}
OUTCOME_ICON = {
    "good": "check",
    "bad": "cross",
    "unknown": "question",
    "warn": "warning",
    "info": "clock",
    "plain": "dot",
}
POINT = {
    PointChoice.LATEST: "the newest moment that Neon could restore",
    PointChoice.FIXED_AGE: "a moment of fixed age",
    PointChoice.RANDOM: "a random moment inside Neon's history",
}
SEVERITY = {
    FindingSeverity.MAJOR: "Major",
    FindingSeverity.MINOR: "Minor",
    FindingSeverity.OBSERVATION: "Observation",
}
SEVERITY_TONE = {FindingSeverity.MAJOR: "bad", FindingSeverity.MINOR: "warn", FindingSeverity.OBSERVATION: "plain"}
_PROOF = {
    Proof.PROVEN: ("Proven", "good"),
    Proof.DOUBTFUL: ("In doubt", "warn"),
    Proof.FADING: ("Proof is fading", "warn"),
    Proof.STALE: ("Proof is worth nothing any more", "bad"),
    Proof.NEVER: ("Never proven", "bad"),
    Proof.NO_PLAN: ("No drill plan", "bad"),
}


@dataclass(frozen=True, slots=True)
class ShownState:
    """One chip: its words, its tone and the icon that repeats it."""

    words: str
    tone: str

    @property
    def icon(self) -> str:
        return OUTCOME_ICON[self.tone]


def state_of(drill: Drill) -> ShownState:
    """Where a drill stands, or what it showed."""
    if drill.outcome:
        outcome = DrillOutcome(drill.outcome)
        return ShownState(OUTCOME[outcome], OUTCOME_TONE[outcome])
    state = DrillState(drill.state)
    return ShownState(STATE[state], "plain" if state is DrillState.CANCELLED else "info")


@dataclass(frozen=True, slots=True)
class ShownProof:
    """What drills say of a branch, in words and a tone; green is never the answer to silence."""

    words: str
    tone: str
    sentence: str

    @property
    def icon(self) -> str:
        return OUTCOME_ICON[self.tone]


def proof_words(standing: Standing, now: dt.datetime) -> ShownProof:
    """`Proof is fading`: the last good drill was 9 d ago; its plan allows 7 d."""
    words, tone = _PROOF[standing.proof]
    return ShownProof(words, tone, _proof_sentence(standing, now))


def _proof_sentence(standing: Standing, now: dt.datetime) -> str:
    if standing.limit_seconds is None:
        return "No plan rehearses this branch, so nothing shows that it can be recovered."
    last = _last(standing, now)
    if standing.last_good_at is None:
        return f"No drill of this branch has passed.{last}"
    good = f"The last good drill was {distance(standing.last_good_at, now)}"
    return f"{good}; its plan lets that count for {span(standing.limit_seconds)}.{last}"


def _last(standing: Standing, now: dt.datetime) -> str:
    """The newest drill, where it is not the good one."""
    if standing.last_outcome is None or standing.last_ended_at is None or standing.last_outcome is DrillOutcome.PASSED:
        return ""
    word = {DrillOutcome.FAILED: "failed", DrillOutcome.INCONCLUSIVE: "could not tell"}[standing.last_outcome]
    return f" The newest one {word}, {distance(standing.last_ended_at, now)}."


def milliseconds(value: int | None) -> str:
    """`4.2 s`, `1 h 3 min`; empty when it was not measured."""
    if value is None:
        return ""
    return f"{value / 1000:.1f} s" if value < 60_000 else span(value / 1000)
