"""The schema of a branch, at the head and earlier, and what differs between two."""

from __future__ import annotations

import pytest

from tests.sandbox.api import Api, ahead
from tests.sandbox.real import RealProject, quiet_moment


def schema(project: RealProject, branch: str, **query: str) -> str:
    sql: str = project.api.get(f"/branches/{branch}/schema", db_name="carecircle", **query)["sql"]
    return sql


def test_the_schema_is_what_is_in_postgresql(shared: RealProject) -> None:
    branch = shared.branch("schema")
    shared.execute("create table patient (id int primary key)", branch_id=branch)
    assert "CREATE TABLE public.patient" in schema(shared, branch)
    assert "CREATE TABLE public.patient" not in schema(shared, shared.main)


def test_the_difference_to_the_parent_is_a_unified_diff(shared: RealProject) -> None:
    branch = shared.branch("compared")
    compare = f"/branches/{branch}/compare_schema"
    assert shared.api.get(compare, db_name="carecircle") == {"diff": ""}
    shared.execute("alter table entry add column said_at timestamptz", branch_id=branch)
    diff = shared.api.get(compare, db_name="carecircle")["diff"].splitlines()
    assert {"-    said text", "+    said text,", "+    said_at timestamp with time zone"} <= set(diff)
    assert diff[0].startswith("--- ")
    other_way = shared.api.get(f"/branches/{shared.main}/compare_schema", db_name="carecircle", base_branch_id=branch)[
        "diff"
    ]
    assert "-    said_at timestamp with time zone" in other_way


def test_each_side_of_a_comparison_has_a_moment_of_its_own(shared: RealProject) -> None:
    branch = shared.branch("grown")
    shared.execute("create table first_step (id int)", branch_id=branch)
    moment = quiet_moment()
    shared.execute("create table second_step (id int)", branch_id=branch)
    compare, query = f"/branches/{branch}/compare_schema", {"db_name": "carecircle", "base_branch_id": branch}
    assert shared.api.get(compare, **query) == {"diff": ""}
    since = shared.api.get(compare, base_timestamp=moment, **query)["diff"]
    assert "+CREATE TABLE public.second_step (" in since
    assert "first_step" not in [line for line in since.splitlines() if line.startswith(("+", "-"))]
    backwards = shared.api.get(compare, timestamp=moment, **query)["diff"]
    assert "-CREATE TABLE public.second_step (" in backwards
    assert shared.api.get(compare, timestamp=moment, base_timestamp=moment, **query) == {"diff": ""}
    both = shared.api.call("GET", compare, base_timestamp=moment, base_lsn="0/1E19478", **query)
    assert both.status_code == 400


def test_the_schema_as_json(shared: RealProject) -> None:
    branch = shared.branch("json")
    shared.execute(
        'create table "Odd name" (id int primary key, price numeric(10,2) not null default 1, '
        "twice int generated always as (id * 2) stored, entry_id int references entry (id), "
        'code text collate "C", unique (price, code))',
        branch_id=branch,
    )
    tables = shared.api.get(f"/branches/{branch}/schema", db_name="carecircle", format="json")["json"]["tables"]
    odd = next(table for table in tables if table["name"] == "Odd name")
    assert odd["schema"] == "public"
    assert [(c["name"], c["type"], c["nullable"], c["generated"]) for c in odd["columns"]] == [
        ("id", "integer", False, False),
        ("price", "numeric(10,2)", False, False),
        ("twice", "integer", True, True),
        ("entry_id", "integer", True, False),
        ("code", "text", True, False),
    ]
    by_type = {constraint["type"]: constraint for constraint in odd["constraints"]}
    assert by_type["primary_key"]["columns"] == ["id"]
    assert by_type["unique"]["columns"] == ["price", "code"]
    assert by_type["foreign_key"]["referenced_table"] == {"schema": "public", "table": "entry", "columns": ["id"]}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"db_name": "nothing"}, 404),
        ({"db_name": "carecircle", "format": "xml"}, 400),
        ({"db_name": "carecircle", "timestamp": ahead(days=1)}, 400),
        ({"db_name": "carecircle", "timestamp": "yesterday"}, 400),
        ({"db_name": "carecircle", "timestamp": ahead(), "lsn": "0/1"}, 400),
    ],
)
def test_what_can_not_be_asked(api: Api, main: str, query: dict[str, str], status: int) -> None:
    assert api.call("GET", f"/branches/{main}/schema", **query).status_code == status


def test_a_root_is_compared_with_a_named_branch_only(api: Api, main: str) -> None:
    assert api.call("GET", f"/branches/{main}/compare_schema", db_name="carecircle").status_code == 400


def test_a_database_that_is_gone_still_has_a_schema_at_its_time(project: RealProject) -> None:
    path = f"/branches/{project.main}/databases"
    body = {"database": {"name": "passing", "owner_name": "carecircle_owner"}}
    before, before_lsn = quiet_moment(), project.head_lsn()
    project.api.done(project.api.call("POST", path, body))
    then = quiet_moment()
    project.api.done(project.api.call("DELETE", f"{path}/passing"))
    read = f"/branches/{project.main}/schema"
    assert project.api.call("GET", read, db_name="passing", timestamp=then).status_code == 200
    for point in ({}, {"timestamp": before}, {"lsn": before_lsn}):
        assert project.api.call("GET", read, db_name="passing", **point).status_code == 404
