"""Checks that people write: what is compared, what is refused, and what the server stops."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.execution import CheckOutcome
from backups.verification.drill import (
    CheckPack,
    CheckVerdict,
    Operator,
    OwnCheck,
    problems_of_expectation,
    problems_of_statement,
)
from tests.verification.drill.databases import Sides

PASSED, FAILED, INCONCLUSIVE = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.INCONCLUSIVE


def ask(other_copy: Sides, statement: str, operator: Operator, *expected: str, **more: Any) -> CheckVerdict:
    low, high = [*expected, "", ""][:2]
    own = OwnCheck("mine", "Mine", statement, operator, low, high, **more)
    return Sides(
        other_copy.server, other_copy.source, other_copy.copy, CheckPack(own_checks=(own,)), other_copy.changes
    ).run("own", "mine")


@pytest.mark.parametrize(
    ("statement", "operator", "expected", "outcome"),
    [
        ("SELECT count(*) FROM doses", Operator.EQUAL, ["500"], PASSED),
        ("SELECT count(*) FROM doses;", Operator.EQUAL, ["501"], FAILED),
        ("SELECT count(*) FROM doses", Operator.NOT_EQUAL, ["500"], FAILED),
        ("TABLE tags", Operator.IS_NOT_EMPTY, [], PASSED),
        ("SELECT 1 FROM doses WHERE amount < 0", Operator.IS_EMPTY, [], PASSED),
        ("SELECT id FROM doses", Operator.IS_EMPTY, [], FAILED),
        ("SELECT avg(amount) FROM doses", Operator.BETWEEN, ["3.9", "4.1"], PASSED),
        ("SELECT 0.1::float8 + 0.2", Operator.LESS, ["0.31"], PASSED),
        ("SELECT max(created_at) FROM doses", Operator.AT_LEAST, ["2026-03-01T11:00:00Z"], PASSED),
        ("SELECT max(created_at) FROM doses", Operator.MORE, ["2026-03-01T13:00:00+01:00"], FAILED),
        ("SELECT max(at) FROM visits", Operator.AT_MOST, ["2026-02-20"], PASSED),
        ("SELECT bool_and(amount > 0) FROM doses", Operator.EQUAL, ["true"], PASSED),
        ("SELECT name FROM families WHERE id = 1", Operator.EQUAL, ["family 1"], PASSED),
        ("WITH few AS (SELECT 1 AS one) SELECT one FROM few", Operator.EQUAL, ["1"], PASSED),
        ("VALUES (NULL::int)", Operator.NOT_EQUAL, ["1"], FAILED),
        ("SELECT 'it''s; -- not a comment' = $$;$$", Operator.EQUAL, ["false"], PASSED),
        ("SELECT /* nested /* comment */ ; */ 1 -- last", Operator.EQUAL, ["1"], PASSED),
    ],
)
def test_what_is_compared(shared: Sides, statement: str, operator: Operator, expected: list, outcome: Any) -> None:
    verdict = ask(shared, statement, operator, *expected)
    assert verdict.outcome is outcome, verdict.sentence
    assert verdict.figures["statement"] == statement


def test_values_are_shown_only_if_they_are_numbers_or_truth(shared: Sides) -> None:
    number = ask(shared, "SELECT count(*) FROM doses", Operator.EQUAL, "1")
    assert number.sentence == "The answer is 500; expected: = 1."
    assert number.figures["value"] == "500"
    text = ask(shared, "SELECT name FROM families WHERE id = 1", Operator.EQUAL, "other")
    assert "family 1" not in repr(text)
    assert set(text.figures["value"]) == {"hash"}
    assert text.figures["value"] == ask(shared, "SELECT 'family 1'", Operator.EQUAL, "other").figures["value"]


@pytest.mark.parametrize(
    ("statement", "expected", "says"),
    [
        ("SELECT 1, 2", "1", "must be one value"),
        ("SELECT id FROM doses", "1", "must be one value, but it has 500 rows"),
        ("SELECT 1", "one", "the answer is a number, and the expected value isn't one"),
        ("SELECT ARRAY[1]", "1", "can't be compared"),
        ("SELECT nothing FROM doses", "1", "names a column that the copy does not have"),
        ("SELECT 1 FROM nowhere", "1", "names a table that the copy does not have"),
        ("SELECT 1 +", "1", "SQLSTATE 42601"),
        ("SELECT 1/0", "1", "SQLSTATE 22012"),
        ("SELECT 'NaN'::numeric", "1", "NaN is not a number"),
        ("SELECT 1", "nan", "NaN is not a number"),
        ("SELECT timestamptz 'infinity'", "2026-01-01", "a time beyond the year 9999"),
        ("SELECT decode('00', 'hex')", "1", "can't be compared"),
        ("SELECT 'secret'::int", "1", "SQLSTATE 22P02"),
    ],
)
def test_what_can_not_be_compared_fails_with_a_reason(shared: Sides, statement: str, expected: str, says: str) -> None:
    verdict = ask(shared, statement, Operator.EQUAL, expected)
    assert verdict.outcome is FAILED
    assert says in verdict.sentence


def test_no_more_rows_are_fetched_than_the_cap(shared: Sides) -> None:
    verdict = ask(shared, "SELECT generate_series(1, 100000000)", Operator.IS_NOT_EMPTY)
    assert verdict.outcome is PASSED
    assert (verdict.figures["rows"], verdict.figures["rows_capped"]) == (1000, True)
    assert "more than 1,000 rows" in verdict.sentence


SLOW = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b"


def test_a_statement_that_does_not_end_in_time_is_inconclusive(shared: Sides) -> None:
    verdict = ask(shared, SLOW, Operator.EQUAL, "1", timeout_seconds=0.05)
    assert verdict.outcome is INCONCLUSIVE
    assert "no answer within 0.05 s" in verdict.sentence


def test_a_locked_table_is_inconclusive(other_copy: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backups.verification.drill.own_sql.LOCK_TIMEOUT_MS", 50)
    monkeypatch.setattr("backups.verification.drill.own_sql._SETTINGS", "SET LOCAL lock_timeout = 50")
    with psycopg.connect(other_copy.server.url(other_copy.copy)) as other:
        other.execute("LOCK TABLE tags")
        verdict = ask(other_copy, "SELECT count(*) FROM tags", Operator.EQUAL, "30")
    assert verdict.outcome is INCONCLUSIVE
    assert "locked" in verdict.sentence


REFUSED = {
    "": "Write one statement",
    "DELETE FROM doses": "must begin with SELECT",
    "SELECT 1; SELECT 2": "more than one statement",
    "SELECT 1; DROP TABLE doses; --": "more than one statement",
    "WITH gone AS (DELETE FROM doses RETURNING 1) SELECT count(*) FROM gone": "would change something (DELETE FROM)",
    "SELECT * INTO copied FROM doses": "SELECT INTO makes a table",
    "SELECT 1 FROM doses FOR UPDATE": "would lock rows",
    "COPY doses TO PROGRAM 'cat'": "must begin with SELECT",
    "EXPLAIN ANALYZE DELETE FROM doses": "must begin with SELECT",
    "SELECT pg_read_file('/etc/passwd')": "pg_read_file() reaches beyond the data",
    "SELECT \"pg_read_file\" ('/etc/passwd')": "pg_read_file() reaches beyond the data",
    "SELECT pg_catalog.pg_sleep(10)": "pg_sleep() reaches",
    "SELECT dblink_exec('host=other', 'DELETE FROM doses')": "dblink_exec() reaches",
    "SELECT set_config('role', 'none', true)": "set_config() reaches",
    "SELECT set_config/* */('role', 'none', true)": "set_config() reaches",
    "SELECT U&\"pg\\005fread_file\"('/etc/passwd')": "U& names",
    "SELECT query_to_xml('DELETE FROM doses', true, true, '')": "query_to_xml() reaches",
    "SELECT nextval('doses_id_seq')": "nextval() reaches",
    "SELECT 'open": "A quote is opened",
    "SELECT 1 /* open": "does not end",
    "SELECT\x00 1": "NUL",
    "SELECT " + "1 + " * 2000 + "1": "longer than 4,000 characters",
}


@pytest.mark.parametrize("statement", REFUSED)
def test_the_form_says_what_is_wrong(statement: str) -> None:
    problems = problems_of_statement(statement)
    assert any(REFUSED[statement] in problem for problem in problems), problems


ALLOWED = (
    'SELECT count(*) FROM call, copy, notify WHERE call.execute = copy."refresh"',
    "SELECT count(*) FROM doses WHERE note = 'INSERT INTO x; DROP TABLE y'",
    "SELECT max(updated) - min(created) AS lower_bound FROM visits;",
    "(SELECT 1)",
    "-- how many\nSELECT count(*) FROM doses -- of all",
    "WITH a AS (SELECT 1) TABLE a",
)


@pytest.mark.parametrize("statement", ALLOWED)
def test_the_form_takes_what_only_reads(statement: str) -> None:
    assert problems_of_statement(statement) == []


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["'", '"', "$$", "$a$", "/*", "*/", "--", "\n", "E'", ";", "a"])).map("".join)
)
def test_the_look_at_the_text_never_breaks(text: str) -> None:
    assert all(isinstance(problem, str) for problem in problems_of_statement(text))


def test_what_the_form_refuses_is_not_run_either(other_copy: Sides) -> None:
    verdict = ask(other_copy, "SELECT 1; DELETE FROM doses", Operator.EQUAL, "1")
    assert verdict.outcome is FAILED
    assert "Not run: There is more than one statement" in verdict.sentence


ATTACKS = {
    "two statements": ("SELECT 1; DELETE FROM tags", "SQLSTATE 42601"),
    "a write in a CTE": ("WITH g AS (DELETE FROM tags RETURNING 1) SELECT 1 FROM g", "would write"),
    "a function that writes": ("SELECT empty_tags()", "would write. It ran read-only and changed nothing"),
    "a plain write": ("DELETE FROM tags", "SQLSTATE 42601"),
    "ending the transaction": ("SELECT 1; COMMIT; DELETE FROM tags; BEGIN", "SQLSTATE 42601"),
    "write mode": ("SELECT set_config('transaction_read_only', 'off', false)", "SQLSTATE 25001"),
    "a file of the server": ("SELECT pg_read_file('PG_VERSION')", "needs a right that a check does not have"),
    "a sequence": ("SELECT nextval('doses_id_seq')", "needs a right"),
    "rows kept locked": ("SELECT 1 FROM tags FOR UPDATE", "would write"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_server_stops_what_gets_past_the_form(other_copy: Sides, monkeypatch, attack: str) -> None:
    """As if the form had let everything through, and as a superuser."""
    monkeypatch.setattr("backups.verification.drill.own_sql.problems_of_statement", lambda sql: [])
    other_copy.on_copy(
        "CREATE FUNCTION empty_tags() RETURNS bigint LANGUAGE sql AS 'DELETE FROM tags; SELECT count(*) FROM tags'"
    )
    statement, says = ATTACKS[attack]
    verdict = ask(other_copy, statement, Operator.EQUAL, "1")
    assert verdict.outcome is (INCONCLUSIVE if "right" in says else FAILED)
    assert says in verdict.sentence
    assert other_copy.on_copy("SELECT count(*) FROM tags") == [(30,)]


def test_rows_that_a_policy_would_hide_are_not_counted_as_missing(shared: Sides) -> None:
    verdict = ask(shared, "SELECT count(*) FROM django_migrations", Operator.EQUAL, "4")
    assert verdict.outcome is INCONCLUSIVE
    assert "needs a right" in verdict.sentence


def test_a_table_of_the_database_can_not_take_the_place_of_postgresqls_own(other_copy: Sides) -> None:
    other_copy.on_copy("CREATE FUNCTION public.length(text) RETURNS int LANGUAGE sql AS 'SELECT 7'")
    assert ask(other_copy, "SELECT length(name) FROM families WHERE id = 1", Operator.EQUAL, "8").outcome is PASSED


@pytest.mark.parametrize(
    ("operator", "expected", "says"),
    [
        (Operator.EQUAL, ["", ""], "Say which value"),
        (Operator.BETWEEN, ["1", ""], "needs a second value"),
        (Operator.BETWEEN, ["2", "1"], "first value is larger"),
        (Operator.IS_EMPTY, ["1", ""], "leave the expected value empty"),
    ],
)
def test_the_form_says_what_is_wrong_with_the_expected_value(operator: Operator, expected: list, says: str) -> None:
    assert says in problems_of_expectation(operator, *expected)[0]
    assert problems_of_expectation(Operator.BETWEEN, "1", "2") == []
    assert problems_of_expectation(Operator.IS_EMPTY, "", "") == []
