"""What a drill measured, against what its plan wants: recovery time, lost data, and the stages between."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backups.admin.drill.words import milliseconds
from backups.domain.consequence import span
from backups.models import Drill

_STAGES = (
    ("noticed", "Damage noticed", "noticed_at"),
    ("requested", "Asked for", "requested_at"),
    ("approved", "Approved", "approved_at"),
    ("submitted", "Ordered at Neon", "submitted_at"),
    ("connectable", "Takes connections", "connectable_at"),
    ("verified", "Verified", "verified_at"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured length beside its objective."""

    label: str
    measured: str
    objective: str
    verdict: str
    tone: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class StageTime:
    """When a stage was reached, how long it took from the one before, and its share of the whole."""

    code: str
    words: str
    at: dt.datetime
    seconds: float | None
    share_percent: int | None


def figures_of(drill: Drill) -> list[Figure]:
    """Recovery time and age of the newest data; what was not measured is said to be unknown."""
    exact = getattr(drill, "rpo_is_exact", None)
    age = "" if exact in (None, True) else "of the newest row; perhaps nobody wrote since"
    return [
        _figure("Time to recover", drill.rto_milliseconds, drill.rto_objective_seconds, _yielded(drill)),
        _figure("Age of the newest data", drill.rpo_milliseconds, drill.rpo_objective_seconds, age),
    ]


def stages_of(drill: Drill) -> list[StageTime]:
    """The stages that are known, in their order in time."""
    known = [(code, words, at) for code, words, name in _STAGES if (at := getattr(drill, name)) is not None]
    known.sort(key=lambda stage: stage[2])
    whole = (known[-1][2] - known[0][2]).total_seconds() if len(known) > 1 else 0
    stages = []
    before: dt.datetime | None = None
    for code, words, at in known:
        seconds = (at - before).total_seconds() if before else None
        share = round(100 * seconds / whole) if seconds is not None and whole > 0 else None
        stages.append(StageTime(code, words, at, seconds, share))
        before = at
    return stages


def _figure(label: str, measured: int | None, objective: int | None, remark: str) -> Figure:
    wanted = span(objective) if objective is not None else "none set"
    if measured is None:
        return Figure(label, "", wanted, "not measured", "unknown", remark)
    if objective is None:
        return Figure(label, milliseconds(measured), wanted, "no objective", "plain", remark)
    met = measured <= objective * 1000
    return Figure(label, milliseconds(measured), wanted, "met" if met else "missed", "good" if met else "bad", remark)


def _yielded(drill: Drill) -> str:
    stood_still = getattr(drill, "yielded_milliseconds", 0)
    return f"without {milliseconds(stood_still)} in which it yielded to a production request" if stood_still else ""
