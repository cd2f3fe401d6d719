"""The front door: which checks a restored database gets, and running one of them for a few seconds.

for spec in plan_checks(context):
    outcome = run_check(spec, context, budget_seconds=8, cursor=cursor)   # CheckResult or Unfinished
    context = context.learn(spec.code, outcome.figures)                   # once it is a CheckResult
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backups.verification import anchors, constraints, interval, sequences, structure, table_content
from backups.verification.catalog import read_tables
from backups.verification.connection import Budget, open_snapshot
from backups.verification.context import CheckContext
from backups.verification.errors import DatabaseUnreachable, NotReadable, OutOfTime
from backups.verification.results import CheckResult, CheckSpec, Unfinished, failed, inconclusive, passed

CONNECTION_CODE = "connection"
DEFAULT_BUDGET_SECONDS = 8.0
PLAN_BUDGET_SECONDS = 10.0

Outcome = CheckResult | Unfinished
Cursor = dict[str, Any] | None
_Simple = Callable[[CheckSpec, CheckContext, Budget], CheckResult]
_Resumable = Callable[[CheckSpec, CheckContext, Budget, Cursor], Outcome]


def _at_once(check: _Simple) -> _Resumable:
    return lambda spec, context, budget, _: check(spec, context, budget)


def _check_connection(spec: CheckSpec, context: CheckContext, budget: Budget) -> CheckResult:
    with open_snapshot(context.branch, budget) as branch:
        version = branch.value("SELECT current_setting('server_version')")
    return passed(spec, "The branch answers on its own connection string.", server_version=version)


def _read_anchors(spec: CheckSpec, context: CheckContext, budget: Budget, cursor: Cursor) -> Outcome:
    if context.reference is None:
        raise ValueError("there is no reference to read")
    with open_snapshot(context.reference, budget) as point:
        begun = anchors.Anchors.from_json(cursor["anchors"]) if cursor else anchors.begin(point)
        found = anchors.go_on(begun, point)
    if not found.unread:
        return passed(spec, "The copy at the point was read.", **found.to_json())
    stuck_on = found.unread[0] if found.unread == begun.unread else None
    if stuck_on and cursor and cursor["stuck_on"] == stuck_on:
        # Without every table there is no boundary, and without a boundary nothing can be told apart.
        return inconclusive(spec, f"Could not tell: {stuck_on} at the point can't be read in the time allowed.")
    return Unfinished(spec, {"anchors": found.to_json(), "stuck_on": stuck_on})


@dataclass(frozen=True, slots=True)
class _Check:
    """A kind of check: its title, and whether it needs a reference to compare with."""

    title: str
    run: _Resumable
    is_live_only: bool = False


_CHECKS: dict[str, _Check] = {
    CONNECTION_CODE: _Check("The branch answers on its own connection string", _at_once(_check_connection)),
    anchors.CODE: _Check("The state at the point can be read", _read_anchors, is_live_only=True),
    structure.APPROVED_CODE: _Check(
        "The copy at the point is what was approved", _at_once(structure.check_as_approved), is_live_only=True
    ),
    interval.SERVER_CODE: _Check("The restore took effect", _at_once(interval.check_server), is_live_only=True),
    interval.INTERVAL_CODE: _Check(
        "Nothing from between the point and the submission", _at_once(interval.check_interval), is_live_only=True
    ),
    structure.REQUIRED_CODE: _Check("The required tables are there", _at_once(structure.check_required_tables)),
    structure.SCHEMA_CODE: _Check(
        "Tables and columns of the point", _at_once(structure.check_schema), is_live_only=True
    ),
    structure.MIGRATION_CODE: _Check(
        "Newest migration of the point", _at_once(structure.check_migration_head), is_live_only=True
    ),
    table_content.CODE: _Check("Rows of the point", table_content.check_table, is_live_only=True),
    sequences.CODE: _Check("Sequences are ahead of the ids", _at_once(sequences.check_sequences)),
    structure.VALIDATED_CODE: _Check("Constraints were validated", _at_once(structure.check_validated)),
    constraints.CODE: _Check("Constraints hold", constraints.check_constraints_hold),
    structure.INDEXES_CODE: _Check("No invalid index", _at_once(structure.check_indexes)),
}
CODES = frozenset(_CHECKS)


def plan_checks(context: CheckContext) -> list[CheckSpec]:
    """The checks for this database, in the order in which they must run. Raises DatabaseUnreachable, OutOfTime."""
    plan: list[CheckSpec] = []
    for code, check in _CHECKS.items():
        if check.is_live_only and not context.is_live:
            continue
        for subject in _subjects(code, context):
            title = f"{check.title}: {subject}" if subject else check.title
            plan.append(CheckSpec(code, subject, title, context.policy.requires(code)))
    return plan


def _subjects(code: str, context: CheckContext) -> list[str]:
    if code != table_content.CODE or context.reference is None:
        return [""]
    with open_snapshot(context.reference, Budget(PLAN_BUDGET_SECONDS)) as point:
        return [label for label, table in read_tables(point).items() if not table.is_unlogged]


def run_check(
    spec: CheckSpec,
    context: CheckContext,
    *,
    budget_seconds: float = DEFAULT_BUDGET_SECONDS,
    cursor: dict[str, Any] | None = None,
) -> CheckResult | Unfinished:
    """Runs one check for about `budget_seconds`. A connection that can't be opened or is lost raises
    DatabaseUnreachable, except in the check of the connection itself, which then fails."""
    check = _CHECKS[spec.code]
    if check.is_live_only and spec.code != anchors.CODE and context.anchors is None:
        return inconclusive(spec, "Could not tell: the state at the point could not be read.")
    try:
        return check.run(spec, context, Budget(budget_seconds), cursor)
    except DatabaseUnreachable as error:
        if spec.code != CONNECTION_CODE:
            raise
        return failed(spec, str(error))
    except OutOfTime:
        return inconclusive(spec, "Could not tell: not answered in the time allowed.")
    except NotReadable as error:
        return inconclusive(spec, f"Could not tell: {error}.")
