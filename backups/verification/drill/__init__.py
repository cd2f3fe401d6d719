"""What a drill checks on a copy at a point, over psycopg. See docs/adr/0013-what-a-drill-checks.md."""

from __future__ import annotations

from backups.verification.canary import Beat, ensure_canary, known_around, read_beats, write_beat
from backups.verification.canary_verdict import CanaryVerdict, judge
from backups.verification.connection import kept_connections
from backups.verification.drill.checks import CODES, plan_checks, run_check
from backups.verification.drill.own_check import Operator, OwnCheck, problems_of_expectation
from backups.verification.drill.pack import CheckPack, CheckVerdict, DrillTarget, PlannedCheck
from backups.verification.drill.statement import problems_of_statement

__all__ = [
    "CODES",
    "Beat",
    "CanaryVerdict",
    "CheckPack",
    "CheckVerdict",
    "DrillTarget",
    "Operator",
    "OwnCheck",
    "PlannedCheck",
    "ensure_canary",
    "judge",
    "kept_connections",
    "known_around",
    "plan_checks",
    "problems_of_expectation",
    "problems_of_statement",
    "read_beats",
    "run_check",
    "write_beat",
]
