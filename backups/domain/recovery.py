"""Recovery time with people in it: the stages from noticing the damage to verified data, for one and for many."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

#: The proposed Security Rule (HHS notice of proposed rulemaking of January 2025, 45 CFR 164.308) would have relevant
#: systems and data restored within 72 hours. It is a proposal, not law; whoever draws the line must say so.
PROPOSED_LIMIT_SECONDS = 72 * 3600
PROPOSED_LIMIT_WORDS = "proposed by HHS in January 2025: restored within 72 hours"


class Moment(StrEnum):
    """What happens in a recovery, in its order."""

    NOTICED = "noticed"
    REQUESTED = "requested"
    APPROVED = "approved"
    SUBMITTED = "submitted"
    CONNECTABLE = "connectable"
    VERIFIED = "verified"


class RecoveryKind(StrEnum):
    """Whether it was for real."""

    DRILL = "drill"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Stage:
    """From one known moment to the next known one. `yielded_milliseconds` of a drill lie in none of its stages."""

    begins: Moment
    ends: Moment
    milliseconds: int

    @property
    def name(self) -> str:
        """Such as `approved to submitted`."""
        return f"{self.begins.value} to {self.ends.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """One drill or restore. `moments` holds only what is known; nothing is guessed in between."""

    kind: RecoveryKind
    reference: str
    key: int
    project_name: str
    branch_name: str
    moments: Mapping[Moment, dt.datetime]
    outcome: str
    objective_seconds: int | None = None
    yielded_milliseconds: int = 0
    rpo_milliseconds: int | None = None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Between each two known moments that follow each other; a clock that ran backwards counts as no time."""
        known = [(moment, self.moments[moment]) for moment in Moment if moment in self.moments]
        return tuple(Stage(a, b, max(0, _milliseconds(at - since))) for (a, since), (b, at) in pairwise(known))

    @property
    def total_milliseconds(self) -> int | None:
        """From the first known moment to verified, without what a drill yielded; None when it was never verified."""
        if Moment.VERIFIED not in self.moments:
            return None
        first = min(self.moments.values())
        return max(0, _milliseconds(self.moments[Moment.VERIFIED] - first) - self.yielded_milliseconds)

    @property
    def is_within_objective(self) -> bool | None:
        """None: there is no objective, or it was never verified."""
        total = self.total_milliseconds
        return None if total is None or self.objective_seconds is None else total <= self.objective_seconds * 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 95th percentile of so many values, in milliseconds; None without a value."""

    count: int
    median_milliseconds: int | None
    p95_milliseconds: int | None


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage over many recoveries. `share` is its part of the time of all stages, 0 to 1."""

    name: str
    spread: Spread
    share: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Many recoveries: whole times of those that were verified, and their stages."""

    total: Spread
    unverified: int
    stages: tuple[StageSummary, ...]


def shares(stages: Sequence[Stage]) -> list[float]:
    """The part of each stage of their sum; all zero when nothing took any time."""
    whole = sum(stage.milliseconds for stage in stages)
    return [stage.milliseconds / whole if whole else 0.0 for stage in stages]


def summarise(recoveries: Iterable[Recovery]) -> Summary:
    """Medians and 95th percentiles (nearest rank: a value that was really measured)."""
    every = list(recoveries)
    totals = [total for each in every if (total := each.total_milliseconds) is not None]
    by_name: dict[str, list[int]] = {}
    for each in every:
        for stage in each.stages:
            by_name.setdefault(stage.name, []).append(stage.milliseconds)
    whole = sum(sum(values) for values in by_name.values())
    stages = [
        StageSummary(name, spread_of(values), sum(values) / whole if whole else 0.0)
        for name, values in sorted(by_name.items(), key=lambda item: _order(item[0]))
    ]
    return Summary(spread_of(totals), len(every) - len(totals), tuple(stages))


def spread_of(values: Iterable[int]) -> Spread:
    """Of any number of values, none included."""
    ordered = sorted(values)
    return Spread(len(ordered), percentile(ordered, 50), percentile(ordered, 95))


def percentile(ordered: Sequence[int], percent: int) -> int | None:
    """The nearest-rank percentile of values in order; None when there are none."""
    if not ordered:
        return None
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


_ORDER = list(Moment)


def _order(name: str) -> tuple[int, int]:
    begins, _, ends = name.partition(" to ")
    return _ORDER.index(Moment(begins)), _ORDER.index(Moment(ends))


def _milliseconds(span: dt.timedelta) -> int:
    return round(span / dt.timedelta(milliseconds=1))
