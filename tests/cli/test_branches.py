"""Branches made, renamed, made the default and deleted by the command line, seen from PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.cli.conftest import Cli, moment, rows_at, settle
from tests.sandbox.real import RealProject


def test_a_branch_from_the_head(cli: Cli, project: RealProject) -> None:
    made = cli.run("branches", "create", "--name", "copy")
    settle(project)
    assert made["branch"]["parent_id"] == project.main
    assert made["endpoints"][0]["branch_id"] == made["branch"]["id"]
    assert "warning" not in made

    project.insert(3)
    with psycopg.connect(made["connection_uris"][0]["connection_uri"]) as connection:
        assert connection.execute("select id from entry order by id").fetchall() == [(1,), (2,)]


def test_a_branch_without_a_compute_that_expires(cli: Cli, project: RealProject) -> None:
    expires_at = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}"
    made = cli.run("branches", "create", "--name", "copy", "--no-compute", "--expires-at", expires_at)
    settle(project)
    assert "endpoints" not in made or made["endpoints"] == []
    assert project.api.named("copy")["expires_at"] == expires_at


def test_a_branch_at_a_past_moment_holds_exactly_what_was_committed_by_then(cli: Cli, project: RealProject) -> None:
    then = moment()
    project.insert(3)
    project.execute("delete from entry where id = 1")
    made = cli.run("branches", "create", "--name", "as-it-was", "--parent", then)
    settle(project)
    assert project.ids(made["branch"]["id"]) == [1, 2]
    assert project.ids() == [2, 3]


def test_a_branch_at_a_log_position(cli: Cli, project: RealProject) -> None:
    position = project.head_lsn()
    project.insert(3)
    made = cli.run("branches", "create", "--name", "as-it-was", "--parent", position)
    settle(project)
    assert project.ids(made["branch"]["id"]) == [1, 2]


def test_a_moment_outside_the_history_is_refused(cli: Cli, project: RealProject) -> None:
    assert "history" in cli.fails("branches", "create", "--name", "too-old", "--parent", "2020-01-01T00:00:00Z")
    assert [branch["name"] for branch in project.api.get("/branches")["branches"]] == ["main"]


def test_a_deleted_branch_serves_nobody(cli: Cli, project: RealProject) -> None:
    branch = project.branch("copy")
    address = project.sandbox.dsn(branch)
    assert cli.run("branches", "delete", "copy")["id"] == branch
    settle(project)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)
    # Deleting it once more, by its id, is no error: Neon answers 204.
    assert cli.run("branches", "delete", branch) is None
    assert "default branch" in cli.fails("branches", "delete", "main")


def test_a_renamed_branch_is_found_by_its_new_name(
    cli: Cli, project: RealProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = project.branch("copy")
    assert cli.run("branches", "rename", "copy", "renamed")["name"] == "renamed"
    project.insert(3, branch_id=branch)
    address = cli.text("connection-string", "renamed").strip()
    assert rows_at(address, monkeypatch) == [1, 2, 3]


def test_the_default_branch_is_what_is_meant_without_a_name(
    cli: Cli, project: RealProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.branch("copy")
    project.insert(3)
    assert cli.run("branches", "set-default", "copy")["default"] is True
    assert rows_at(cli.text("connection-string").strip(), monkeypatch) == [1, 2]
    assert not project.api.branch(project.main)["default"]
