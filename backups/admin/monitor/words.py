"""The words of the monitor's pages."""

from __future__ import annotations

from dataclasses import dataclass

from backups.domain.monitor import Health, Severity


@dataclass(frozen=True, slots=True)
class Shown:
    """A state as a page shows it: never by colour alone."""

    word: str
    tone: str
    icon: str


SEVERITY = {
    Severity.CRITICAL: Shown("Critical", "bad", "warning"),
    Severity.WARNING: Shown("Warning", "warn", "warning"),
    Severity.NOTICE: Shown("Notice", "info", "info"),
}
HEALTH = {
    Health.HEALTHY: Shown("Nothing is wrong", "good", "check"),
    Health.FINDINGS: Shown("Something is wrong", "bad", "warning"),
    Health.UNKNOWN: Shown("Unknown", "unknown", "question"),
}
BRANCH_HEALTH = {
    Health.HEALTHY: Shown("Yes, as far as is known", "good", "check"),
    Health.FINDINGS: Shown("Not as it should be", "bad", "warning"),
    Health.UNKNOWN: Shown("Unknown", "unknown", "question"),
}
