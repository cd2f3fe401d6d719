"""Facts of a database: right where they are known, and said to be unknown where they are not."""

from __future__ import annotations

import json

import psycopg
import pytest

from backups.verification import DatabaseFacts, DatabaseUnreachable, Dsn, Unknown, inspect_database, summarise_moment
from tests.verification.story import Story
from tests.verification.timeline import PASSWORD


@pytest.fixture(scope="module")
def facts(story: Story) -> DatabaseFacts:
    with psycopg.connect(story.reference.dsn, application_name="night job"):
        return inspect_database(Dsn(story.reference.dsn))


def test_tables_with_exact_counts_and_newest_write(story: Story, facts: DatabaseFacts) -> None:
    tables = {table.name: table for table in facts.tables}
    for name, table in tables.items():
        label = '"' + name.replace(".", '"."') + '"'
        assert table.rows == story.reference.execute(f"SELECT count(*) FROM {label}")[0][0]  # noqa: S608
        assert table.rows_exact
    newest = story.reference.execute("SELECT max(created_at) FROM medication_logs")[0][0]
    times = {column.name: column for column in tables["public.medication_logs"].time_columns}
    assert times["created_at"].newest == newest.isoformat()
    assert not times["given_at"].records_writes
    assert times["given_at"].newest is None
    assert tables["public.care_team"].key == ("family_id", "user_id")
    assert tables["public.measurements"].key == ()


def test_database_as_a_whole(story: Story, facts: DatabaseFacts) -> None:
    assert facts.migration_head == "care.0004_updated_at"
    assert facts.sessions == {"night job": 1}
    assert any(extension.startswith("pg_surgery") for extension in facts.extensions)
    assert isinstance(facts.head_lsn, str)
    assert isinstance(facts.sequences, tuple)
    by_name = {sequence.name: sequence for sequence in facts.sequences}
    largest = story.reference.execute("SELECT max(id) FROM appointments")[0][0]
    assert by_name["public.appointments_id_seq"].largest == largest


def test_facts_survive_json(facts: DatabaseFacts) -> None:
    assert DatabaseFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_moment_in_short(story: Story, facts: DatabaseFacts) -> None:
    moment = summarise_moment(Dsn(story.reference.dsn))
    assert moment.rows == {table.name: table.rows for table in facts.tables}
    assert moment.migration_head == "care.0004_updated_at"
    assert isinstance(moment.newest_row_at, str)
    assert moment.newest_row_at <= story.point.isoformat()
    json.dumps(moment.to_json())


def test_what_may_not_be_read_is_unknown_and_never_zero(story: Story) -> None:
    node, _ = story.branch()
    node.execute("CREATE ROLE reader LOGIN PASSWORD 'synthetic'")
    facts = inspect_database(Dsn(node.dsn.replace("cloud_admin", "reader")))
    assert {table.rows for table in facts.tables} == {Unknown("the role may not read it")}
    assert isinstance(facts.migration_head, Unknown)
    moment = summarise_moment(Dsn(node.dsn.replace("cloud_admin", "reader")))
    assert isinstance(moment.newest_row_at, Unknown)


@pytest.mark.usefixtures("questions_cost_a_second")
def test_interrupted_reading_is_completed_by_further_calls(story: Story, facts: DatabaseFacts) -> None:
    found, calls = None, 0
    while found is None or found.unfinished:
        found = inspect_database(Dsn(story.reference.dsn), budget_seconds=10, previous=found)
        calls += 1
    assert found.tables == facts.tables
    assert found.sequences == facts.sequences
    assert calls > 2


def test_unreachable_database_names_the_place_and_no_secret() -> None:
    dsn = Dsn(f"postgresql://somebody:{PASSWORD}@127.0.0.1:1/nowhere")
    with pytest.raises(DatabaseUnreachable) as refused:
        inspect_database(dsn)
    assert "127.0.0.1:1/nowhere" in str(refused.value)
    assert PASSWORD not in str(refused.value)
    assert refused.value.__cause__ is None
    assert PASSWORD not in repr(dsn)
