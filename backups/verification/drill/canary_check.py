"""The canary of the last minute before the point must be on the copy, and none from after it."""

from __future__ import annotations

from backups.verification.canary import read_beats
from backups.verification.canary_verdict import judge
from backups.verification.connection import Budget
from backups.verification.drill.pack import DrillTarget
from backups.verification.results import CheckResult, CheckSpec, inconclusive


def check_canary(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """Its measured RPO is the age of the newest canary at the point."""
    if target.point_at is None:
        return inconclusive(spec, "Could not tell: the time of the point is not known.")
    beats = read_beats(target.copy, target.point_at)
    verdict = judge(target.point_at, beats, target.known_beats, known_since=target.canary_since)
    return CheckResult(spec, verdict.outcome, verdict.sentence, verdict.figures)
