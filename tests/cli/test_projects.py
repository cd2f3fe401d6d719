"""Whole projects, and whom the key belongs to."""

from __future__ import annotations

import time

import psycopg
import pytest

from neon_sandbox.testing import running_sandbox
from tests.cli.conftest import Cli
from tests.sandbox.api import Api
from tests.sandbox.real import RealProject


def test_a_project_from_its_making_to_its_end(cli: Cli, project: RealProject) -> None:
    wanted = ("--name", "second", "--region-id", "aws-eu-central-1", "--database", "care", "--role", "nurse")
    made = cli.run("projects", "create", *wanted)
    assert (made["project"]["name"], made["project"]["region_id"]) == ("second", "aws-eu-central-1")
    address = made["connection_uris"][0]["connection_uri"]
    second = Api(project.sandbox, project_id=made["project"]["id"])
    with second.http:
        wait_for_all(second)
        with psycopg.connect(address) as connection:
            assert connection.execute("select current_database(), current_user").fetchone() == ("care", "nurse")

        assert cli.run("projects", "delete", second.project_id)["id"] == second.project_id
        assert second.call("GET", "").status_code == 404
        with pytest.raises(psycopg.OperationalError):
            refused_at_last(address)


def wait_for_all(api: Api) -> None:
    for operation in api.get("/operations")["operations"]:
        assert api.wait_for(operation["id"])["status"] == "finished"


def refused_at_last(address: str) -> None:
    """Connects until it can't: a deleted project cannot be asked when its computes have stopped."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        psycopg.connect(address).close()
        time.sleep(0.05)


def test_the_only_project_need_not_be_named(program, tmp_path) -> None:
    with running_sandbox() as sandbox:
        cli = Cli(program, sandbox, None, tmp_path)
        assert [branch["id"] for branch in cli.run("branches", "list")] == [sandbox.branch_id]
        organisations = cli.run("orgs", "list")
        with Api(sandbox).http as http:
            assert http.get("/projects", params={"org_id": organisations[0]["id"]}).json()["projects"]
        assert cli.run("me")["login"] == "local"
