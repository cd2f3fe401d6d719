"""A check that people write themselves: one read-only statement, and what its answer must be."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

Comparable = Decimal | bool | dt.datetime | dt.date | str


class Operator(StrEnum):
    """What the answer must be. All but the last two compare one value: one row with one column."""

    EQUAL = "="
    NOT_EQUAL = "<>"
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    BETWEEN = "between"
    IS_EMPTY = "is_empty"
    IS_NOT_EMPTY = "is_not_empty"

    @property
    def counts_rows(self) -> bool:
        return self in (Operator.IS_EMPTY, Operator.IS_NOT_EMPTY)


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """`key` names it within its pack and does not change. `expected` and, for between, `expected_to` are as typed:
    a number, true or false, a date or time in ISO 8601, or a text."""

    key: str
    title: str
    statement: str
    operator: Operator
    expected: str = ""
    expected_to: str = ""
    required: bool = True
    timeout_seconds: float = 5.0


class NotComparable(Exception):
    """The value of the answer and what was expected are not of one kind."""


def holds(check: OwnCheck, value: Any) -> bool:
    """Whether the one value of the answer is as expected; NULL never is. Raises NotComparable."""
    if value is None:
        return False
    found = comparable(value)
    if isinstance(found, str) and check.operator not in (Operator.EQUAL, Operator.NOT_EQUAL):
        raise NotComparable("texts can only be compared with = and <>")
    low = expected_as(found, check.expected)
    if check.operator is Operator.BETWEEN:
        high = expected_as(found, check.expected_to)
        return _compare(Operator.AT_LEAST, found, low) and _compare(Operator.AT_MOST, found, high)
    return _compare(check.operator, found, low)


def _compare(operator: Operator, found: Any, expected: Any) -> bool:
    answers = {
        Operator.EQUAL: found == expected,
        Operator.NOT_EQUAL: found != expected,
        Operator.LESS: found < expected,
        Operator.AT_MOST: found <= expected,
        Operator.MORE: found > expected,
        Operator.AT_LEAST: found >= expected,
    }
    return bool(answers[operator])


def comparable(value: Any) -> Comparable:
    """The value of an answer as something that has an order. Raises NotComparable."""
    if isinstance(value, bool | str | dt.datetime | dt.date):
        return value
    if isinstance(value, int | float | Decimal):
        return _number(str(value))
    raise NotComparable(f"a value of type {type(value).__name__} can't be compared; cast it to a number or a text")


def expected_as(found: Comparable, text: str) -> Comparable:
    """What was typed, read as the kind of value that was found. Raises NotComparable."""
    try:
        if isinstance(found, bool):
            return {"true": True, "false": False}[text.strip().lower()]
        if isinstance(found, Decimal):
            return _number(text)
        if isinstance(found, dt.datetime):
            return _as_datetime(text, is_aware=found.tzinfo is not None)
        if isinstance(found, dt.date):
            return dt.date.fromisoformat(text.strip())
    except (KeyError, ValueError, InvalidOperation):
        raise NotComparable(f"the answer is {kind_of(found)}, and the expected value isn't one") from None
    return text


def _number(text: str) -> Decimal:
    number = Decimal(text.strip())
    if number.is_nan():
        raise NotComparable("NaN is not a number, and nothing can be compared with it")
    return number


def _as_datetime(text: str, *, is_aware: bool) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text.strip())
    if not is_aware:
        return moment.replace(tzinfo=None)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def kind_of(found: Comparable) -> str:
    if isinstance(found, bool):
        return "true or false"
    if isinstance(found, Decimal):
        return "a number"
    return "a time" if isinstance(found, dt.date) else "a text"


def problems_of_expectation(operator: Operator, expected: str, expected_to: str) -> list[str]:
    """What is wrong with the expected values, for the form; empty when nothing is."""
    if operator.counts_rows:
        return ["This operator looks at the number of rows only: leave the expected value empty."] if expected else []
    if not expected.strip():
        return ["Say which value the answer is compared with."]
    if operator is Operator.BETWEEN and not expected_to.strip():
        return ["Between needs a second value."]
    if operator is Operator.BETWEEN:
        return _problems_of_range(expected, expected_to)
    return []


def _problems_of_range(low: str, high: str) -> list[str]:
    try:
        is_ordered = Decimal(low.strip()) <= Decimal(high.strip())
    except InvalidOperation:
        return []
    return [] if is_ordered else ["The first value is larger than the second, so nothing can lie between them."]
