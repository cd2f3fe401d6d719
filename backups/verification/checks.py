"""The front door: which checks a restored database gets, and running one of them for a few seconds.

    plan = plan_checks(context)
    for spec in plan:
        outcome = run_check(spec, context, budget_seconds=8, cursor=cursor)   # CheckResult or Unfinished
        context = context.learn(spec.code, outcome.figures)                   # once it is a CheckResult
"""

from __future__ import annotations

from typing import Any

from backups.verification.context import CheckContext
from backups.verification.results import CheckResult, CheckSpec, Unfinished


def plan_checks(context: CheckContext) -> list[CheckSpec]:
    """The checks for this database, in the order in which they must run. Raises DatabaseUnreachable."""
    raise NotImplementedError


def run_check(
    spec: CheckSpec, context: CheckContext, *, budget_seconds: float = 8.0, cursor: dict[str, Any] | None = None
) -> CheckResult | Unfinished:
    """Runs one check for about `budget_seconds`. Only a lost connection to the branch raises (DatabaseUnreachable)."""
    raise NotImplementedError
