"""The backups that people want of a branch: Neon's schedule and history window, as declared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backups.domain.policy import Environment

_DAY = 86_400
_INTERVALS = {"daily": _DAY, "weekly": 7 * _DAY, "monthly": 31 * _DAY}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST_HISTORY_SECONDS = 30 * _DAY


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One rule of a schedule. `hour` is 0 to 23 in UTC; `day` 1 (Monday) to 7 for weekly, 1 to 31 for monthly."""

    frequency: str
    hour: int | None = None
    day: int | None = None
    retention_seconds: int | None = None

    @property
    def interval_seconds(self) -> int | None:
        """The longest time between two snapshots; None for a frequency that is not known here."""
        return _INTERVALS.get(self.frequency)

    @property
    def words(self) -> str:
        """`daily at 02:00 UTC, kept 7 days`."""
        at = f" at {self.hour:02d}:00 UTC" if self.hour is not None else ""
        return f"{self.frequency}{self._day_words()}{at}, kept {_days(self.retention_seconds)}"

    def _day_words(self) -> str:
        if self.day is None:
            return ""
        weekly = self.frequency == "weekly" and 1 <= self.day <= len(_WEEKDAYS)
        return f" on {_WEEKDAYS[self.day - 1]}" if weekly else f" on day {self.day}"

    def to_json(self) -> dict[str, Any]:
        """As stored, and as Neon takes it."""
        found = {
            "frequency": self.frequency,
            "hour": self.hour,
            "day": self.day,
            "retention_seconds": self.retention_seconds,
        }
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rule:
        return cls(data["frequency"], data.get("hour"), data.get("day"), data.get("retention_seconds"))


def _days(seconds: int | None) -> str:
    if seconds is None:
        return "35 days (Neon's own choice)"
    days = seconds / _DAY
    return f"{days:g} day" if days == 1 else f"{days:g} days"


@dataclass(frozen=True, slots=True)
class WantedBackups:
    """What a branch is to have. `is_declared` is False where nobody has said anything and the defaults count."""

    schedule: tuple[Rule, ...]
    history_seconds: int
    is_declared: bool = True

    @property
    def shortest_interval_seconds(self) -> int | None:
        """How far apart two scheduled snapshots may be; None when none are wanted."""
        known = [rule.interval_seconds for rule in self.schedule if rule.interval_seconds is not None]
        return min(known, default=None)

    def to_json(self) -> dict[str, Any]:
        return {"schedule": [rule.to_json() for rule in self.schedule], "history_seconds": self.history_seconds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WantedBackups:
        rules = tuple(Rule.from_json(item) for item in data["schedule"])
        return cls(schedule=rules, history_seconds=int(data["history_seconds"]))


#: CareCircle's rule: every night at 02:00 UTC, kept a week, and a week of points in time.
DEFAULT = WantedBackups((Rule("daily", 2, None, 7 * _DAY),), 7 * _DAY, is_declared=False)
NOTHING = WantedBackups((), 0, is_declared=False)


def default_for(environment: Environment) -> WantedBackups:
    """What counts where nobody has declared anything."""
    return NOTHING if environment is Environment.DEVELOPMENT else DEFAULT


@dataclass(frozen=True, slots=True)
class Drift:
    """The rules that are wanted and missing, and those that are there and not wanted."""

    missing: tuple[Rule, ...]
    surplus: tuple[Rule, ...]

    @property
    def is_none(self) -> bool:
        return not self.missing and not self.surplus

    @property
    def words(self) -> str:
        """One sentence for people."""
        parts = []
        if self.missing:
            parts.append(f"missing: {'; '.join(rule.words for rule in self.missing)}")
        if self.surplus:
            parts.append(f"not declared: {'; '.join(rule.words for rule in self.surplus)}")
        return ". ".join(part[0].upper() + part[1:] for part in parts)


#: Neon keeps a scheduled snapshot that long when a rule does not say.
NEONS_RETENTION_SECONDS = 35 * _DAY


def drift(*, wanted: Sequence[Rule], found: Iterable[Rule]) -> Drift:
    """What differs. The order of rules says nothing, and a retention that is not said is Neon's own."""
    here, there = {_plain(rule) for rule in wanted}, {_plain(rule) for rule in found}
    return Drift(missing=tuple(sorted(here - there, key=_order)), surplus=tuple(sorted(there - here, key=_order)))


def _plain(rule: Rule) -> Rule:
    kept = NEONS_RETENTION_SECONDS if rule.retention_seconds is None else rule.retention_seconds
    return Rule(rule.frequency, rule.hour, rule.day, kept)


def _order(rule: Rule) -> tuple[str, int, int, int]:
    return rule.frequency, rule.day or 0, rule.hour or 0, rule.retention_seconds or 0


def problems_with(wanted: WantedBackups) -> list[str]:
    """Why Neon would not take this; empty when it would. Limits: Neon's documentation, August 2026."""
    problems = [problem for rule in wanted.schedule for problem in _problems_with_rule(rule)]
    if len({_plain(rule) for rule in wanted.schedule}) < len(wanted.schedule):
        problems.append("The same rule is there twice.")
    if not 0 <= wanted.history_seconds <= LONGEST_HISTORY_SECONDS:
        problems.append("A history window has 0 to 30 days.")
    return problems


def _problems_with_rule(rule: Rule) -> list[str]:
    problems = []
    if rule.frequency not in _INTERVALS:
        problems.append("Neon takes snapshots daily, weekly or monthly.")
    if rule.hour is None or not 0 <= rule.hour <= 23:
        problems.append("Each rule needs an hour from 0 to 23, in UTC.")
    last_day = {"weekly": 7, "monthly": 31}.get(rule.frequency)
    if last_day is not None and (rule.day is None or not 1 <= rule.day <= last_day):
        problems.append(f"A {rule.frequency} rule needs a day from 1 to {last_day}.")
    if rule.retention_seconds is not None and not 3600 <= rule.retention_seconds <= NEONS_RETENTION_SECONDS:
        problems.append("Neon keeps a scheduled snapshot for an hour to 35 days.")
    return problems


def is_overdue(*, newest_at: dt.datetime, now: dt.datetime, interval_seconds: int, grace_seconds: float) -> bool:
    """Whether the newest scheduled snapshot is older than one interval and the grace."""
    return (now - newest_at).total_seconds() > interval_seconds + grace_seconds
