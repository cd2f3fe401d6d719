"""Restores in place and resets, started by the command line, seen from PostgreSQL."""

from __future__ import annotations

from tests.cli.conftest import Cli, moment, settle
from tests.sandbox.real import RealProject


def test_a_restore_of_a_branch_to_its_own_past(cli: Cli, project: RealProject) -> None:
    then = moment()
    project.execute("delete from entry")
    project.insert(3)
    before = project.sandbox.dsn()
    said = cli.run("branches", "restore", "main", f"^self@{then}", "--preserve-under-name", "main_old")
    settle(project)

    # Only the restored branch: the command line looks for the preserved one as a parent, which a root has not.
    assert said["id"] == project.main
    assert said["last_reset_at"]
    assert project.ids() == [1, 2]
    assert project.sandbox.dsn() == before
    preserved = project.api.named("main_old")["id"]
    project.add_endpoint(preserved)
    assert project.ids(preserved) == [3]


def test_a_restore_to_a_log_position(cli: Cli, project: RealProject) -> None:
    position = project.head_lsn()
    project.insert(3)
    said = cli.run("branches", "restore", "main", f"main@{position}", "--preserve-under-name", "main_old")
    settle(project)
    assert said["name"] == "main"
    assert project.ids() == [1, 2]


def test_a_restore_that_neon_refuses_changes_nothing(cli: Cli, project: RealProject) -> None:
    then = moment()
    project.insert(3)
    assert "preserve_under_name is required" in cli.fails("branches", "restore", "main", f"^self@{then}")
    child = project.branch("child")
    assert "root branches only" in cli.fails("branches", "restore", "child", f"main@{then}")
    assert project.ids() == project.ids(child) == [1, 2, 3]


def test_a_reset_to_the_parent(cli: Cli, project: RealProject) -> None:
    child = project.branch("child")
    project.insert(3)
    project.insert(9, branch_id=child)
    said = cli.run("branches", "reset", "child", "--parent", "--preserve-under-name", "child_old")
    settle(project)

    assert (said["id"], said["name"]) == (child, "child")
    assert project.ids(child) == [1, 2, 3]
    preserved = project.api.named("child_old")["id"]
    assert project.api.branch(child)["parent_id"] == preserved
    project.add_endpoint(preserved)
    assert project.ids(preserved) == [1, 2, 9]
