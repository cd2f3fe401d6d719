"""Schemas compared by the command line: what differs between two branches, or between a branch and its past."""

from __future__ import annotations

from tests.cli.conftest import Cli, moment
from tests.sandbox.real import RealProject


def test_branches_that_differ(cli: Cli, project: RealProject) -> None:
    then = moment()
    child = project.branch("child")
    assert "@@" not in cli.text("branches", "schema-diff", "main", "child")

    project.execute("alter table entry add column colour text", branch_id=child)
    project.execute("create table added (id int)")
    against_child = cli.text("branches", "schema-diff", "main", "child")
    assert "+    colour text" in against_child
    assert "-CREATE TABLE public.added" in against_child
    assert "+    colour text" in cli.text("branches", "schema-diff", "child", "^parent")

    against_past = cli.text("branches", "schema-diff", "main", f"^self@{then}", "--database", "carecircle")
    assert "-CREATE TABLE public.added" in against_past
    assert "colour" not in against_past
