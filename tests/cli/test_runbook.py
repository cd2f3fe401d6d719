"""The commands that a runbook prints, typed into Neon's own command line, in the order of the page."""

from __future__ import annotations

from backups.selectors.runbook import RunbookBranch, Setup
from backups.services.runbook.commands import SNAPSHOT, TIME, Command, kept_name, looking, restoring
from tests.cli.conftest import Cli, moment, settle
from tests.sandbox.real import RealProject

MAIN = RunbookBranch(
    name="main", neon_id="", environment="production", is_root=True, is_default=True, is_from_snapshot=False,
    database="", role="", rto_objective_seconds=None, rpo_objective_seconds=None,
)  # fmt: skip


def setup_of(project: RealProject) -> Setup:
    return Setup(
        project_name="p", neon_project_id=project.api.project_id, api_host=project.sandbox.url, is_sandbox=True,
        region="", plan="", history_seconds=None, root_branch_cap=None, branches=(MAIN,), deciders=(), starters=(),
        in_place_votes=2, contact="", site="",
    )  # fmt: skip


def typed(command: Command, project: RealProject, **values: str) -> list[str]:
    """The words between the program and what the test's own command line adds to each call."""
    tail = ("--no-analytics", "--project-id", project.api.project_id)
    assert (command.argv[0], command.argv[-3:]) == ("neon", tail)
    words = list(command.argv[1:-3])
    for name, value in values.items():
        words = [word.replace(name, value) for word in words]
    return words


def test_what_the_runbook_prints_looks_restores_and_undoes(cli: Cli, project: RealProject) -> None:
    setup = setup_of(project)
    for command in looking(setup):
        cli.run(*typed(command, project))
    look, connect, restore, undo, from_snapshot, throw_away = restoring(setup, "main")
    then = moment()
    project.insert(3)

    cli.run(*typed(look, project, **{TIME: then}))
    settle(project)
    assert "postgresql://" in cli.text(*typed(connect, project))
    assert project.ids(project.api.named("look_main")["id"]) == [1, 2]
    cli.run(*typed(restore, project, **{TIME: then}))
    settle(project)
    assert project.ids() == [1, 2]
    assert project.api.named(kept_name("main"))["id"] != project.main
    cli.run(*typed(undo, project))
    settle(project)
    assert project.ids() == [1, 2, 3]
    cli.run(*typed(throw_away, project))
    settle(project)
    assert "look_main" not in {branch["name"] for branch in project.api.get("/branches")["branches"]}
    assert SNAPSHOT in from_snapshot.argv


def test_the_runbooks_way_back_from_a_snapshot(cli: Cli, project: RealProject) -> None:
    made = cli.run("snapshots", "create", "--branch", "main", "--name", "nightly")
    settle(project)
    project.insert(3)
    command = restoring(setup_of(project), "main")[4]
    cli.run(*typed(command, project, **{SNAPSHOT: made["id"]}))
    settle(project)
    assert project.ids(project.api.named("main")["id"]) == [1, 2]
