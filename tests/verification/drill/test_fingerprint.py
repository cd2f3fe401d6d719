"""The fingerprint does not see the order of rows, and sees everything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from psycopg import sql

from backups.verification import Dsn
from backups.verification.catalog import read_tables
from backups.verification.connection import Budget, open_snapshot
from backups.verification.fingerprint import Fingerprint, RowHash, fingerprint_query, read_fingerprint, read_row_hash
from neon_sandbox.plain import PlainPostgres
from tests.verification.drill.databases import database, execute

SEED = 0x1234567
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TABLES = """
    CREATE TABLE plain (number bigint, word text, at timestamptz);
    CREATE TABLE odd (number bigint, word text, facts json);
    CREATE DOMAIN dose AS numeric CHECK (value > 0);
    CREATE TYPE state AS ENUM ('given', 'refused');
    CREATE TYPE pair AS (one int, other int);
    CREATE EXTENSION citext;
    CREATE TABLE types (
        domain_ dose, enum_ state, array_ int[], words_ varchar(10)[], fixed_ char(5), jsonb_ jsonb, uuid_ uuid,
        json_ json, jsons_ json[], xml_ xml, point_ point, pair_ pair, citext_ citext, bits_ bit(3), range_ int4range,
        money_ money, search_ tsvector);
    CREATE TABLE gone (a int, b text, c int);
    ALTER TABLE gone DROP COLUMN b;
    CREATE TABLE bare ();
"""
Row = tuple[int | None, str | None, Any]

numbers = st.none() | st.integers(-(2**63), 2**63 - 1)
words = st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=6)
rows_of_plain = st.lists(st.tuples(numbers, words, st.none() | st.datetimes()), max_size=6)
rows_of_odd = st.lists(st.tuples(numbers, words, st.none() | st.integers(0, 5).map(json.dumps)), max_size=6)


def _fingerprint(connection: psycopg.Connection[Any], query: sql.Composed) -> Fingerprint:
    (row,) = connection.execute(query).fetchall()
    return Fingerprint(*map(int, row))


@dataclass
class Tables:
    """Fingerprints of rows that are put into a table for a moment."""

    connection: psycopg.Connection[Any]
    dsn: Dsn

    def of(self, name: str, rows: list[Row]) -> Fingerprint:
        with self.connection.transaction(force_rollback=True):
            if rows:
                with self.connection.cursor() as cursor:
                    cursor.executemany(f"INSERT INTO {name} VALUES (%s, %s, %s)", rows)  # noqa: S608 - two names
            query = fingerprint_query(self._table(name), self._row_hash(name), SEED)
            return _fingerprint(self.connection, query)

    def _table(self, name: str) -> Any:
        return self.known[f"public.{name}"][0]

    def _row_hash(self, name: str) -> RowHash:
        return self.known[f"public.{name}"][1]

    def __post_init__(self) -> None:
        with open_snapshot(self.dsn, Budget(10)) as snapshot:
            self.known = {
                label: (table, read_row_hash(snapshot, table)) for label, table in read_tables(snapshot).items()
            }


@pytest.fixture(scope="module")
def tables(drill_server: PlainPostgres) -> Iterator[Tables]:
    with database(drill_server, "template0") as name:
        url = drill_server.url(name)
        execute(url, TABLES)
        with psycopg.connect(url, autocommit=True) as connection:
            yield Tables(connection, Dsn(url))


either = st.one_of(
    st.tuples(st.just("plain"), rows_of_plain), st.tuples(st.just("odd"), rows_of_odd)
)  # hashed whole, and column by column


@quick
@given(either, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(tables: Tables, made: tuple[str, list[Row]], random: Any) -> None:
    name, rows = made
    shuffled = rows.copy()
    random.shuffle(shuffled)
    assert tables.of(name, shuffled) == tables.of(name, rows)


@quick
@given(either, st.data())
def test_a_changed_cell_shows(tables: Tables, made: tuple[str, list[Row]], data: st.DataObject) -> None:
    name, rows = made
    assume(rows)
    place, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, 1))
    changed = list(rows[place])
    changed[column] = data.draw((numbers, words)[column])
    assume(changed[column] != rows[place][column])
    others = [*rows[:place], tuple(changed), *rows[place + 1 :]]
    assert tables.of(name, others).total != tables.of(name, rows).total


@quick
@given(either, st.integers(1, 3))
def test_doubled_and_removed_rows_show_and_equal_rows_do_not_cancel(
    tables: Tables, made: tuple[str, list[Row]], times: int
) -> None:
    name, rows = made
    assume(rows)
    before, once_less = tables.of(name, rows), tables.of(name, rows[1:])
    added = tables.of(name, rows + [rows[0]] * times)
    assert (added.rows, once_less.rows) == (before.rows + times, before.rows - 1)
    one = before.total - once_less.total
    assert one != 0
    assert added.total == before.total + times * one


@quick
@given(either, st.integers(0, 1))
def test_two_rows_that_exchange_a_value_show(tables: Tables, made: tuple[str, list[Row]], column: int) -> None:
    """PostgreSQL adds the hashes of columns up, so that the sum of plain row hashes would be the same as before."""
    name, rows = made
    assume(len(rows) >= 2)
    one, other = list(rows[0]), list(rows[1])
    one[column], other[column] = other[column], one[column]
    exchanged = [tuple(one), tuple(other), *rows[2:]]
    assume(sorted(map(repr, exchanged)) != sorted(map(repr, rows)))
    assert tables.of(name, exchanged).total != tables.of(name, rows).total


@quick
@given(either, st.integers(0, 6))
def test_parts_add_up_to_the_whole(tables: Tables, made: tuple[str, list[Row]], cut: int) -> None:
    name, rows = made
    assert tables.of(name, rows[:cut]) + tables.of(name, rows[cut:]) == tables.of(name, rows)


def test_types_without_a_hash_of_their_own_go_by_their_text(tables: Tables) -> None:
    by_text = tables.known["public.types"][1].by_text
    assert by_text == (
        "json_", "jsons_", "xml_", "point_", "pair_", "citext_", "bits_", "range_", "money_", "search_",
    )  # fmt: skip
    assert tables.known["public.plain"][1].by_text == ()
    empty = tables.known["public.types"]
    with open_snapshot(tables.dsn, Budget(5)) as snapshot:
        assert read_fingerprint(snapshot, *empty, SEED) == Fingerprint(0, 0)


def test_letters_of_a_type_that_does_not_tell_them_apart_show(tables: Tables) -> None:
    def of(word: str) -> Fingerprint:
        with tables.connection.transaction(force_rollback=True):
            tables.connection.execute("INSERT INTO types (citext_) VALUES (%s)", [word])
            query = fingerprint_query(*tables.known["public.types"], SEED)
            return _fingerprint(tables.connection, query)

    assert of("Ada") != of("ADA")


@pytest.mark.parametrize("name", ["gone", "bare"])
def test_dropped_columns_and_tables_without_any(tables: Tables, name: str) -> None:
    table, row_hash = tables.known[f"public.{name}"]
    with tables.connection.transaction(force_rollback=True):
        tables.connection.execute(f"INSERT INTO {name} DEFAULT VALUES")
        assert _fingerprint(tables.connection, fingerprint_query(table, row_hash, SEED)).rows == 1


def test_fingerprint_survives_json() -> None:
    found = Fingerprint(5_000_000, -(2**70) + 1)
    assert Fingerprint.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert len(found.hexadecimal()) == 32
