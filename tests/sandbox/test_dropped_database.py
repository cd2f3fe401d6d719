"""A database that somebody dropped is there, with its rows, in a branch from before the drop."""

from __future__ import annotations

import psycopg
import pytest

from tests.sandbox.real import RealProject, quiet_moment


def rows(project: RealProject, branch_id: str, database: str) -> list[int]:
    with psycopg.connect(project.sandbox.dsn(branch_id, database=database)) as connection:
        return [row[0] for row in connection.execute("select id from patient order by id")]


def with_clinic(project: RealProject) -> None:
    body = {"database": {"name": "clinic", "owner_name": "carecircle_owner"}}
    project.api.done(project.api.call("POST", f"/branches/{project.main}/databases", body))
    with psycopg.connect(project.sandbox.dsn(project.main, database="clinic"), autocommit=True) as connection:
        connection.execute("create table patient (id int)")
        connection.execute("insert into patient values (1), (2)")


@pytest.mark.parametrize("afterwards", ["nothing", "more commits"])
def test_dropped_by_sql_with_nothing_committed_in_between(project: RealProject, afterwards: str) -> None:
    with_clinic(project)
    project.insert(1)
    moment = quiet_moment()
    project.execute("drop database clinic")
    if afterwards == "more commits":
        project.insert(2, 3)
    branch = project.branch("before", parent_timestamp=moment)
    assert rows(project, branch, "clinic") == [1, 2]
    assert project.ids(branch) == [1]
    shown = project.api.branch(branch)
    assert shown["parent_timestamp"] == moment[:19] + "Z"
    project.restore(source_timestamp=moment, preserve_under_name="main_old")
    assert rows(project, project.main, "clinic") == [1, 2]
    # The restored one can be the source of others, from its own time on.
    project.insert(9)
    again = project.branch("again")
    assert (project.ids(again), rows(project, again, "clinic")) == ([1, 9], [1, 2])


def test_dropped_on_a_child_and_two_in_a_row(project: RealProject) -> None:
    with_clinic(project)
    child = project.branch("child")
    with project.connect(child) as connection:
        connection.execute("create database second")
    project.insert(1, branch_id=child)
    moment = quiet_moment()
    with project.connect(child) as connection:
        connection.execute("drop database clinic")
        connection.execute("drop database second")
    grandchild = project.branch("grandchild", parent_id=child, parent_timestamp=moment)
    assert (rows(project, grandchild, "clinic"), project.ids(grandchild)) == ([1, 2], [1])


def test_a_moment_behind_the_drop_has_no_such_database(project: RealProject) -> None:
    with_clinic(project)
    project.execute("drop database clinic")
    moment = quiet_moment()
    project.insert(1)
    branch = project.branch("after", parent_timestamp=moment)
    with project.connect(branch) as connection:
        assert connection.execute("select from pg_database where datname = 'clinic'").fetchone() is None
