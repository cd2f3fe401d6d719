"""Runs a check that people wrote, on the copy only.

What keeps it from doing harm, in this order: the copy is thrown away; the grammar of DECLARE CURSOR takes one SELECT,
VALUES or WITH and nothing that writes; the transaction is read-only and rolled back; statement and lock time-outs; no
more rows are fetched than the cap. As a superuser it runs with the rights of pg_read_all_data instead, so files and
programs of the server stay out of reach. What is not prevented: whatever the functions of the database itself do
outside of the transaction when they are called (an extension that opens connections, say).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from backups.domain.execution import CheckOutcome
from backups.verification.connection import GRACE_SECONDS, LOCK_TIMEOUT_MS, Budget, Watchdog, connect
from backups.verification.drill.own_check import NotComparable, Operator, OwnCheck, comparable, holds, kind_of
from backups.verification.drill.pack import DrillTarget
from backups.verification.drill.statement import cleaned, problems_of_statement
from backups.verification.errors import DatabaseUnreachable, OutOfTime
from backups.verification.results import CheckResult, CheckSpec, counted, failed, inconclusive

CODE = "own"
MOST_ROWS = 1000

_SETTINGS = f"""
    SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS};
    SET LOCAL idle_in_transaction_session_timeout = 30000;
    SET LOCAL search_path = 'public';
    SET LOCAL row_security = off;
    SET LOCAL timezone = 'UTC';
    SET LOCAL datestyle = 'ISO, YMD';
    SET LOCAL intervalstyle = 'postgres';
    SET LOCAL cursor_tuple_fraction = 1;
    SET LOCAL max_parallel_workers_per_gather = 0"""
_IS_SUPERUSER = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"

#: What PostgreSQL says no with, in words that quote nothing of the data.
_REFUSALS: tuple[tuple[type[psycopg.Error], str], ...] = (
    (psycopg.errors.ReadOnlySqlTransaction, "The statement would write. It ran read-only and changed nothing."),
    (psycopg.errors.UndefinedTable, "The statement names a table that the copy does not have."),
    (psycopg.errors.UndefinedColumn, "The statement names a column that the copy does not have."),
    (psycopg.errors.UndefinedFunction, "The statement calls a function, or compares types, that the copy can't."),
    (psycopg.errors.FeatureNotSupported, "The statement would write. It was not run."),
)


def check_own(spec: CheckSpec, target: DrillTarget, budget: Budget) -> CheckResult:
    """One that can't be run fails; one that does not end in time is inconclusive. Raises DatabaseUnreachable, OutOfTime
    (the budget ended before the check's own time-out)."""
    own = target.pack.own_check(spec.subject)
    if own is None:
        return inconclusive(spec, "Could not tell: this check is no longer in the pack.")
    shown = {"statement": own.statement, "operator": own.operator.value, "expected": _expected(own)}
    if problems := problems_of_statement(own.statement):
        return failed(spec, f"Not run: {problems[0]}", **shown)
    allowed_seconds = min(own.timeout_seconds, budget.left_seconds())
    try:
        rows = _answer(target, own, allowed_seconds)
    except psycopg.errors.QueryCanceled:
        if allowed_seconds < own.timeout_seconds:
            raise OutOfTime from None
        return inconclusive(spec, f"Could not tell: no answer within {own.timeout_seconds:g} s.", **shown)
    except psycopg.errors.LockNotAvailable:
        return inconclusive(spec, "Could not tell: another session keeps a table of it locked.", **shown)
    except psycopg.errors.InsufficientPrivilege:
        return inconclusive(spec, "Could not tell: the statement needs a right that a check does not have.", **shown)
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(
            f"The connection was lost while an own check ran ({type(error).__name__}). Nothing was changed; try again."
        ) from None
    except psycopg.Error as error:
        return failed(spec, _refusal(error), **shown | {"sqlstate": error.sqlstate})
    return _judge(spec, target, own, rows, shown)


def _answer(target: DrillTarget, own: OwnCheck, seconds: float) -> list[TupleRow]:
    """At most one row more than the cap. Raises psycopg.Error, DatabaseUnreachable."""
    with _read_only(target, seconds) as connection:
        query = b"DECLARE answer NO SCROLL CURSOR FOR " + cleaned(own.statement).encode()
        # Binary results make psycopg speak the extended protocol, in which the server takes one statement and no more;
        # otherwise a second one could end the transaction.
        connection.execute(query, binary=True)
        return connection.execute(f"FETCH {MOST_ROWS + 1} FROM answer").fetchall()


@contextmanager
def _read_only(target: DrillTarget, seconds: float) -> Iterator[psycopg.Connection[TupleRow]]:
    connection = connect(target.copy)
    watchdog = Watchdog(connection, seconds + GRACE_SECONDS)
    try:
        connection.execute(f"BEGIN READ ONLY; {_SETTINGS}; SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")
        if connection.execute(_IS_SUPERUSER).fetchone() == (True,):
            connection.execute("SET LOCAL ROLE pg_read_all_data")
        yield connection
    finally:
        watchdog.end()
        connection.close()


def _refusal(error: psycopg.Error) -> str:
    for kind, sentence in _REFUSALS:
        if isinstance(error, kind):
            return sentence
    if error.sqlstate is None:
        return (
            "The answer holds a value that can't be read here, such as a time beyond the year 9999. Cast it to a text."
        )
    return f"PostgreSQL refused the statement (SQLSTATE {error.sqlstate})."


def _judge(
    spec: CheckSpec, target: DrillTarget, own: OwnCheck, rows: list[TupleRow], shown: dict[str, Any]
) -> CheckResult:
    is_capped = len(rows) > MOST_ROWS
    figures = shown | {"rows": min(len(rows), MOST_ROWS), "rows_capped": is_capped}
    number = f"more than {MOST_ROWS:,} rows" if is_capped else counted(len(rows), "row")
    if own.operator.counts_rows:
        is_right = (not rows) is (own.operator is Operator.IS_EMPTY)
        return _result(spec, is_right, f"The answer holds {number}; {_wanted(own)}.", figures)
    if len(rows) != 1 or len(rows[0]) != 1:
        return failed(spec, f"The answer must be one value, but it has {number}.", **figures)
    return _compare(spec, target, own, rows[0][0], figures)


def _compare(spec: CheckSpec, target: DrillTarget, own: OwnCheck, value: Any, figures: dict[str, Any]) -> CheckResult:
    if value is None:
        return failed(spec, f"The answer is NULL; {_wanted(own)}.", **figures)
    try:
        is_right, shown = holds(own, value), _shown(target, value)
    except NotComparable as error:
        return failed(spec, f"Not compared: {error}.", **figures)
    return _result(
        spec, is_right, f"The answer is {shown['words']}; {_wanted(own)}.", figures | {"value": shown["figure"]}
    )


def _shown(target: DrillTarget, value: Any) -> dict[str, Any]:
    """Numbers and truth values as they are; anything else may be about a patient, so only its keyed hash."""
    found = comparable(value)
    kind = kind_of(found)
    if kind in ("a number", "true or false"):
        text = str(found).lower()
        return {"words": text, "figure": text}
    return {"words": f"{kind} that is not shown", "figure": {"hash": target.hash_of(str(found))}}


def _result(spec: CheckSpec, is_right: bool, sentence: str, figures: dict[str, Any]) -> CheckResult:
    return CheckResult(spec, CheckOutcome.PASSED if is_right else CheckOutcome.FAILED, sentence, figures)


def _wanted(own: OwnCheck) -> str:
    if own.operator.counts_rows:
        return "none expected" if own.operator is Operator.IS_EMPTY else "at least one expected"
    return f"expected: {own.operator.value} {_expected(own)[:100]}"


def _expected(own: OwnCheck) -> str:
    return f"{own.expected} and {own.expected_to}" if own.operator is Operator.BETWEEN else own.expected
