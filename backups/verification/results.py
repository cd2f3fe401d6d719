"""What a check is, and what can come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backups.domain.execution import CheckOutcome


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be found out. `retry` is true when only the time was too short."""

    reason: str
    retry: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"unknown": self.reason, "retry": self.retry}


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check to be run. `code` and `subject` together are unique within a plan."""

    code: str
    subject: str
    title: str
    required: bool


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check. `figures` holds counts, names and times of the system; never a value of a row."""

    spec: CheckSpec
    outcome: CheckOutcome
    sentence: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The budget ended first. Call again with `cursor` (JSON), not before `retry_after_seconds` have passed."""

    spec: CheckSpec
    cursor: dict[str, Any]
    retry_after_seconds: float = 0.0


def passed(spec: CheckSpec, sentence: str, **figures: Any) -> CheckResult:
    return CheckResult(spec, CheckOutcome.PASSED, sentence, figures)


def failed(spec: CheckSpec, sentence: str, **figures: Any) -> CheckResult:
    return CheckResult(spec, CheckOutcome.FAILED, sentence, figures)


def inconclusive(spec: CheckSpec, sentence: str, **figures: Any) -> CheckResult:
    return CheckResult(spec, CheckOutcome.INCONCLUSIVE, sentence, figures)


def counted(number: int, noun: str) -> str:
    """`1 row`, `1,204 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
