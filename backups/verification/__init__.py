"""What is checked on a restored database, over psycopg. See docs/adr/0005-verification-under-live-traffic.md."""

from __future__ import annotations

from backups.domain.execution import CheckOutcome
from backups.verification.checks import plan_checks, run_check
from backups.verification.context import CheckContext, VerificationPolicy
from backups.verification.dsn import Dsn
from backups.verification.errors import DatabaseUnreachable, OutOfTime
from backups.verification.facts import DatabaseFacts, MomentFacts, SequenceFacts, TableFacts, TimeColumn
from backups.verification.inspection import inspect_database, summarise_moment
from backups.verification.losses import CountedBy, LossPreview, TableLoss
from backups.verification.preview import compare_point_with_now
from backups.verification.results import CheckResult, CheckSpec, Unfinished, Unknown

__all__ = [
    "CheckContext",
    "CheckOutcome",
    "CheckResult",
    "CheckSpec",
    "CountedBy",
    "DatabaseFacts",
    "DatabaseUnreachable",
    "Dsn",
    "LossPreview",
    "MomentFacts",
    "OutOfTime",
    "SequenceFacts",
    "TableFacts",
    "TableLoss",
    "TimeColumn",
    "Unfinished",
    "Unknown",
    "VerificationPolicy",
    "compare_point_with_now",
    "inspect_database",
    "plan_checks",
    "run_check",
    "summarise_moment",
]
