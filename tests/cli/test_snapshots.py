"""Snapshots through the command line: taken, described, restored in both ways, and taken by a schedule."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest

from neon_sandbox.testing import running_sandbox
from tests.cli.conftest import Cli, moment, rows_at, settle
from tests.sandbox.real import RealProject, real_project

DAY_SECONDS = 86_400


def snapshots(project: RealProject) -> Any:
    return project.api.get("/snapshots")["snapshots"]


def test_a_snapshot_from_its_making_to_its_end(cli: Cli, project: RealProject) -> None:
    made = cli.run(
        "snapshots", "create", "--branch", "main", "--name", "before", "--expires-at", "2099-01-01T00:00:00Z"
    )
    settle(project)
    assert (made["name"], made["source_branch_id"]) == ("before", project.main)
    assert made["expires_at"] == "2099-01-01T00:00:00Z"
    assert [snapshot["id"] for snapshot in cli.run("snapshots", "list")] == [made["id"]]

    renamed = cli.run("snapshots", "update", "before", "--name", "kept", "--clear-expiration")
    assert renamed["name"] == "kept"
    shown = cli.run("snapshots", "get", "kept")
    assert (shown["id"], "expires_at" in shown) == (made["id"], False)

    assert cli.run("snapshots", "delete", "kept")["id"] == made["id"]
    settle(project)
    assert snapshots(project) == []


def test_a_snapshot_of_the_past_restored_in_one_step(cli: Cli, project: RealProject) -> None:
    then = moment()
    project.insert(3)
    address = project.sandbox.dsn(project.main)
    cli.run("snapshots", "create", "--branch", "main", "--name", "before", "--timestamp", then)
    settle(project)
    said = cli.run("snapshots", "restore", "before", "--target-branch", "main", "--finalize")
    settle(project)

    # The branch is another one under the old name; the address is the same.
    new = project.api.named("main")["id"]
    assert new == said["restored_branch"]["id"] != project.main
    assert {operation["status"] for operation in said["operations"]} <= {"scheduling", "running"}
    with psycopg.connect(address) as connection:
        assert connection.execute("select id from entry order by id").fetchall() == [(1,), (2,)]
    assert project.api.named("main (old)")["id"] == project.main
    project.add_endpoint(project.main)
    assert project.ids(project.main) == [1, 2, 3]


def test_a_snapshot_looked_at_before_it_takes_over(
    cli: Cli, project: RealProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.api.done(project.api.call("POST", f"/branches/{project.main}/snapshot", name="before"))
    project.insert(3)
    address = project.sandbox.dsn(project.main)
    said = cli.run("snapshots", "restore", "before", "--target-branch", "main", "--name", "preview")
    settle(project)
    preview = said["restored_branch"]["id"]
    assert rows_at(cli.text("connection-string", "preview").strip(), monkeypatch) == [1, 2]
    assert project.ids() == [1, 2, 3]

    finished = cli.run("snapshots", "finalize", preview, "--name", "main_replaced")
    assert finished
    settle(project)
    assert (project.api.named("main")["id"], project.api.named("main_replaced")["id"]) == (preview, project.main)
    with psycopg.connect(address) as connection:
        assert connection.execute("select id from entry order by id").fetchall() == [(1,), (2,)]


def test_a_schedule_that_really_takes_snapshots(program, tmp_path) -> None:
    # A sandbox of its own, whose clock can be moved.
    with running_sandbox("postgres", plan="scale") as sandbox, real_project(sandbox) as project:
        cli = Cli(program, sandbox, project.api.project_id, tmp_path)
        place = ("--branch", "main")
        assert cli.run("snapshots", "schedule", "get", *place) == []
        daily = ("--frequency", "daily", "--hour", "3", "--retention", "604800")
        item = {"frequency": "daily", "hour": 3, "retention_seconds": 604_800}
        assert cli.run("snapshots", "schedule", "set", *place, *daily) == [item]
        assert cli.run("snapshots", "schedule", "get", *place) == [item]
        project.insert(1, 2)
        sandbox.move_clock(DAY_SECONDS)
        taken = the_snapshot_of(project)
        assert taken["manual"] is False
        restored = project.api.done(project.api.call("POST", f"/snapshots/{taken['id']}/restore", {"name": "seen"}))
        assert project.ids(restored["branch"]["id"]) == [1, 2]

        assert "hour" in cli.fails("snapshots", "schedule", "set", *place, "--frequency", "daily")
        assert cli.run("snapshots", "schedule", "set", *place, "--schedule", "[]") == []
        assert project.api.get(f"/branches/{project.main}/backup_schedule") == {"schedule": []}


def the_snapshot_of(project: RealProject) -> Any:
    deadline = time.monotonic() + 30
    while not (found := snapshots(project)):
        assert time.monotonic() < deadline, "the schedule takes no snapshot"
        time.sleep(0.05)
    settle(project)
    return found[0]
