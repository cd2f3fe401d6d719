"""What the form of a plan offers: the built-in checks by their words, and the comparisons of one's own checks."""

from __future__ import annotations

from backups.verification.drill import Operator
from backups.verification.drill.checks import CHECK_TITLES
from backups.verification.drill.own_sql import CODE as OWN_CODE

_OPERATOR_WORDS = {
    Operator.EQUAL: "is",
    Operator.NOT_EQUAL: "is not",
    Operator.LESS: "is less than",
    Operator.AT_MOST: "is at most",
    Operator.MORE: "is more than",
    Operator.AT_LEAST: "is at least",
    Operator.BETWEEN: "lies between",
    Operator.IS_EMPTY: "has no row",
    Operator.IS_NOT_EMPTY: "has a row",
}


def operator_choices() -> list[tuple[str, str]]:
    """Each comparison and its words: `is at least`."""
    return [(operator.value, words) for operator, words in _OPERATOR_WORDS.items()]


def operator_words(value: str) -> str:
    """`is at least`, for the value that a check holds."""
    return dict(operator_choices()).get(value, value)


def built_in_checks() -> list[tuple[str, str]]:
    """Code and words of every check that a plan can leave out; one's own are simply not written."""
    return [(code, title) for code, title in CHECK_TITLES.items() if code != OWN_CODE]
