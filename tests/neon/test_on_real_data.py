"""What the client reads of real databases in the local Neon: their definitions, and the rows in a snapshot."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.neon.local import a_moment_ago, client_of, settled

TABLES = """
create table patient (id bigint primary key, name text not null);
create table visit (id bigint primary key, patient_id bigint references patient (id), noted text);
"""


@pytest.fixture(scope="module")
def real() -> Iterator[RunningSandbox]:
    with running_sandbox(storage="postgres") as running:
        yield running


@pytest.fixture
def neon(real: RunningSandbox) -> Iterator[NeonClient]:
    with client_of(real, total_seconds=30.0) as client:
        yield client


def execute(dsn: str, statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statements)


def test_definitions_then_and_now(neon: NeonClient, real: RunningSandbox) -> None:
    place = (real.project_id, real.branch_id)
    execute(real.dsn(), TABLES)
    before = a_moment_ago()
    execute(real.dsn(), "alter table visit add column billed boolean")
    then = {table.name: table for table in neon.schemas.tables(*place, database_name="carecircle", timestamp=before)}
    now = {table.name: table for table in neon.schemas.tables(*place, database_name="carecircle")}
    assert [column.name for column in then["visit"].columns] == ["id", "patient_id", "noted"]
    assert [column.name for column in now["visit"].columns] == ["id", "patient_id", "noted", "billed"]
    assert [(column.type, column.nullable) for column in now["patient"].columns] == [("bigint", False), ("text", False)]
    assert ("public", "patient") in {constraint.references for constraint in now["visit"].constraints}
    assert "billed boolean" in neon.schemas.sql(*place, database_name="carecircle")
    difference = neon.schemas.compare(
        *place, database_name="carecircle", base_branch_id=real.branch_id, base_timestamp=before
    )
    assert [line for line in difference.splitlines() if "billed" in line] == ["+    billed boolean"]
    same = neon.schemas.compare(*place, database_name="carecircle", base_branch_id=real.branch_id)
    assert same == ""
    with pytest.raises(errors.NeonNotFound):
        neon.schemas.sql(*place, database_name="no_such_database")


def test_a_preview_of_a_snapshot_holds_the_rows_of_its_moment(neon: NeonClient, real: RunningSandbox) -> None:
    execute(real.dsn(), "create table note (id bigint); insert into note values (1), (2)")
    taken = neon.snapshots.create(real.project_id, branch_id=real.branch_id, name="two notes")
    settled(neon, real, taken)
    execute(real.dsn(), "delete from note")
    preview = neon.snapshots.restore(
        real.project_id, taken.snapshot.id, target_branch_id=real.branch_id, finalize=False, name="look"
    )
    settled(neon, real, preview)
    assert preview.branch is not None
    (role,) = neon.roles.list(real.project_id, preview.branch.id)
    address = neon.connection_uri(
        real.project_id, branch_id=preview.branch.id, database_name="carecircle", role_name=role.name
    )
    with psycopg.connect(address.reveal()) as connection:
        assert connection.execute("select id from note order by id").fetchall() == [(1,), (2,)]
    with psycopg.connect(real.dsn()) as connection:
        assert connection.execute("select count(*) from note").fetchone() == (0,)
