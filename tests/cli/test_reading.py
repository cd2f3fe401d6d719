"""What the command line shows is what there is, and the address that it prints leads to the data."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli, moment, rows_at, settle
from tests.sandbox.real import RealProject


def test_projects(cli: Cli, project: RealProject) -> None:
    listed = cli.run("projects", "list")
    mine = next(entry for entry in listed["projects"] if entry["id"] == cli.project_id)
    assert (mine["name"], mine["region_id"]) == ("another", "aws-us-east-2")
    assert listed["shared_with_you"] == []

    shown = cli.run("projects", "get", str(cli.project_id))
    with project.connect() as connection:
        assert shown["pg_version"] == connection.info.server_version // 10_000
    assert "not found" in cli.fails("projects", "get", "no-such-12345678")


def test_branches_as_json_and_as_a_table(cli: Cli, project: RealProject) -> None:
    child = project.branch("child")
    listed = cli.run("branches", "list")
    assert {(branch["id"], branch["name"], branch.get("parent_id")) for branch in listed} == {
        (project.main, "main", None),
        (child, "child", project.main),
    }

    table = cli.text("branches", "list")
    assert "[default] main" in table
    assert all(identifier in table for identifier in (project.main, child))


def test_one_branch_by_name_and_by_id(cli: Cli, project: RealProject) -> None:
    assert cli.run("branches", "get", "main")["id"] == project.main
    assert cli.run("branches", "get", project.main)["name"] == "main"
    assert "Branch missing not found" in cli.fails("branches", "get", "missing")


def test_the_printed_address_leads_to_the_branch(
    cli: Cli, project: RealProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.branch("child")
    then = moment()
    project.insert(3)
    direct = cli.text("connection-string", "main").strip()
    assert "sslmode=require&channel_binding=require" in direct
    assert rows_at(direct, monkeypatch) == [1, 2, 3]
    assert rows_at(cli.text("connection-string", f"main@{then}").strip(), monkeypatch) == [1, 2]

    pooled = cli.run("connection-string", "child", "--pooled", "--extended")
    assert "-pooler." in pooled["host"]
    assert rows_at(pooled["connection_string"], monkeypatch) == [1, 2]


def test_operations(cli: Cli, project: RealProject) -> None:
    project.branch("child")
    settle(project)
    assert [(operation["action"], operation["status"]) for operation in cli.run("operations", "list")][:2] == [
        ("start_compute", "finished"),
        ("create_branch", "finished"),
    ]


def test_databases_and_roles(cli: Cli, project: RealProject) -> None:
    databases, roles = cli.run("databases", "list", "--branch", "main"), cli.run("roles", "list", "--branch", "main")
    with project.connect() as connection:
        found = connection.execute(
            "select datname::text, pg_get_userbyid(datdba)::text from pg_database where datname = current_database()"
        ).fetchall()
    assert [(database["name"], database["owner_name"]) for database in databases] == found
    assert [role["name"] for role in roles] == [owner for _, owner in found]
