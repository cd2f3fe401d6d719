"""The front door of a drill's checks: which there are, and running one of them for a few seconds.

with kept_connections():                                                        # spares a log-in for each check
    for planned in plan_checks(target):
        verdict = run_check(planned, target, budget_seconds=8, cursor=cursor)   # until verdict.has_ended
        target = target.learn(planned.code, verdict.figures)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backups.verification.catalog import Table, read_tables
from backups.verification.connection import Budget, open_snapshot
from backups.verification.context import CheckContext, VerificationPolicy
from backups.verification.drill import (
    canary_check,
    content,
    definitions,
    environment,
    index_content,
    integrity,
    own_sql,
    point,
    reading,
    rows,
    tables,
)
from backups.verification.drill.pack import (
    READING_CODE,
    SENTENCE_CHARACTERS,
    CheckVerdict,
    DrillTarget,
    PlannedCheck,
    spec_of,
)
from backups.verification.drill.reading import open_copy
from backups.verification.errors import DatabaseUnreachable, NotReadable, OutOfTime
from backups.verification.results import CheckResult, CheckSpec, Unfinished, failed, inconclusive, passed
from backups.verification.sequences import check_sequences
from backups.verification.structure import check_required_tables

CONNECTION_CODE = "connection"
DEFAULT_BUDGET_SECONDS = 8.0
PLAN_BUDGET_SECONDS = 10.0

Outcome = CheckResult | Unfinished
Cursor = dict[str, Any] | None
_Runner = Callable[[CheckSpec, DrillTarget, Budget, Cursor], Outcome]


@dataclass(frozen=True, slots=True)
class _Check:
    """A kind of check. `per_table`: one for each table of the copy. `needs_copy_read`: what the copy holds must be
    known. `needs_source`: it compares."""

    title: str
    run: _Runner
    per_table: bool = False
    needs_copy_read: bool = False
    needs_source: bool = False


def _at_once(check: Callable[[CheckSpec, DrillTarget, Budget], Outcome]) -> _Runner:
    return lambda spec, target, budget, _: check(spec, target, budget)


def _of_copy_alone(check: Callable[[CheckSpec, CheckContext, Budget], CheckResult]) -> _Runner:
    """A check that restores have as well: it looks at one database only."""
    return lambda spec, target, budget, _: check(spec, _context(target), budget)


def _context(target: DrillTarget) -> CheckContext:
    policy = VerificationPolicy(required_tables=target.pack.required_tables)
    return CheckContext(branch=target.copy, point_at=target.point_at, policy=policy)


def _check_connection(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    with open_copy(target, budget) as copy:
        version = copy.value("SELECT current_setting('server_version')")
    return passed(spec, "The copy answers on its own connection string.", server_version=version)


_CHECKS: dict[str, _Check] = {
    CONNECTION_CODE: _Check("The copy answers", _at_once(_check_connection)),
    READING_CODE: _Check("The copy can be read", reading.read_copy),
    "required_tables": _Check("The required tables are there", _of_copy_alone(check_required_tables)),
    "tables_present": _Check("Tables of the source are there", _at_once(tables.check_tables), needs_source=True),
    "columns_present": _Check("Columns of the source are there", _at_once(tables.check_columns), needs_source=True),
    "point_time": _Check("The copy is at the point", _at_once(point.check_point_time), needs_copy_read=True),
    "newest_row": _Check("Newest row before the point", _at_once(point.check_newest_row), needs_copy_read=True),
    "canary": _Check("Canary of the last minute before the point", _at_once(canary_check.check_canary)),
    "row_counts": _Check(
        "Rows counted", rows.check_rows, per_table=True, needs_copy_read=True, needs_source=True
    ),
    "fingerprint": _Check(
        "Fingerprint of the rows", content.check_content, per_table=True, needs_copy_read=True, needs_source=True
    ),
    "foreign_keys": _Check("Foreign keys hold", integrity.check_foreign_keys),
    "constraints_hold": _Check("Keys, unique and check constraints hold", integrity.check_rules),
    "not_null": _Check("No empty value where none may be", integrity.check_not_null),
    "constraints_validated": _Check("Constraints were validated", _at_once(integrity.check_validated)),
    "indexes_valid": _Check("No invalid index", _at_once(integrity.check_indexes_valid)),
    "indexes_sound": _Check("Indexes agree with their tables", index_content.check_index_content),
    "sequences": _Check("Sequences are ahead of the ids", _of_copy_alone(check_sequences)),
    "migration_head": _Check(
        "Newest migration", _at_once(environment.check_migration_head), needs_source=True
    ),
    "definitions": _Check(
        "Functions, views, triggers, policies and indexes of the source",
        _at_once(definitions.check_definitions),
        needs_source=True,
    ),
    "extensions": _Check("Extensions of the source", _at_once(environment.check_extensions), needs_source=True),
    "roles": _Check("Roles of the source", _at_once(environment.check_roles), needs_source=True),
    own_sql.CODE: _Check("Own check", _at_once(own_sql.check_own)),
}  # fmt: skip
#: Every code that a pack may require or leave out.
CODES = tuple(_CHECKS)
#: The same with the words that a plan's page shows for each.
CHECK_TITLES = {code: check.title for code, check in _CHECKS.items()}


def plan_checks(target: DrillTarget) -> list[PlannedCheck]:
    """The checks of this database, in the order in which they must run. Make it once and keep it: rows of a plan stay
    the same while tables come and go. Raises DatabaseUnreachable, OutOfTime."""
    with open_snapshot(target.copy, Budget(PLAN_BUDGET_SECONDS)) as copy:
        tables_of_copy = [table for table in read_tables(copy).values() if not table.is_unlogged]
    plan: list[PlannedCheck] = []
    for code, check in _CHECKS.items():
        if code not in target.pack.left_out and not (code == "canary" and not target.pack.has_canary):
            plan += _planned(code, check, target, tables_of_copy)
    return plan


def _planned(code: str, check: _Check, target: DrillTarget, tables_of_copy: list[Table]) -> list[PlannedCheck]:
    required = target.pack.requires(code)
    if code == own_sql.CODE:
        return [PlannedCheck(code, own.title, target.database, own.key, own.required) for own in target.pack.own_checks]
    if not check.per_table:
        return [PlannedCheck(code, check.title, target.database, "", required)]
    return [
        PlannedCheck(code, f"{check.title}: {table.label}", target.database, table.label, required)
        for table in tables_of_copy
        if not (code == "fingerprint" and target.pack.is_changing(table.label))
    ]


def run_check(
    planned: PlannedCheck,
    target: DrillTarget,
    *,
    budget_seconds: float = DEFAULT_BUDGET_SECONDS,
    cursor: dict[str, Any] | None = None,
) -> CheckVerdict:
    """Runs one check for about `budget_seconds`. A lost connection raises DatabaseUnreachable (the same call can be
    made again), except in the check of the connection itself, which then fails. A source that can't be reached makes
    what compares with it inconclusive."""
    check, spec = _CHECKS[planned.code], spec_of(planned)
    state = cursor or {"late": False, "of_check": None}
    if doubt := _cannot_begin(check, target):
        return _verdict(inconclusive(spec, f"Could not tell: {doubt}."))
    try:
        return _verdict(check.run(spec, target, Budget(budget_seconds), state["of_check"]))
    except DatabaseUnreachable as error:
        if planned.code != CONNECTION_CODE:
            raise
        return _verdict(failed(spec, str(error)))
    except OutOfTime:
        if not state["late"]:  # this budget may only have been what another check had left
            return CheckVerdict(None, cursor=state | {"late": True})
        return _verdict(inconclusive(spec, "Could not tell: not answered in the time allowed."))
    except NotReadable as error:
        return _verdict(inconclusive(spec, f"Could not tell: {error}."))


def _cannot_begin(check: _Check, target: DrillTarget) -> str | None:
    if check.needs_source and target.source is None:
        return "there is no source to compare with"
    if check.needs_copy_read and target.anchors is None:
        return "the copy could not be read"
    return None


def _verdict(outcome: Outcome) -> CheckVerdict:
    if isinstance(outcome, Unfinished):
        cursor = {"late": False, "of_check": outcome.cursor}
        return CheckVerdict(None, cursor=cursor, retry_after_seconds=outcome.retry_after_seconds)
    return CheckVerdict(outcome.outcome, outcome.sentence[:SENTENCE_CHARACTERS], outcome.figures)
