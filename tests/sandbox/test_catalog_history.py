"""Roles, passwords and databases go back in time together with the rows."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api
from tests.sandbox.real import RealProject, quiet_moment

OWNER = "carecircle_owner"


def catalog(api: Api, branch_id: str) -> dict[str, Any]:
    roles = [role["name"] for role in api.get(f"/branches/{branch_id}/roles")["roles"]]
    return {
        "databases": {item["name"]: item["owner_name"] for item in databases(api, branch_id)},
        "passwords": {name: password(api, branch_id, name) for name in roles},
    }


def databases(api: Api, branch_id: str) -> Any:
    return api.get(f"/branches/{branch_id}/databases")["databases"]


def password(api: Api, branch_id: str, role: str) -> str:
    return str(api.get(f"/branches/{branch_id}/roles/{role}/reveal_password")["password"])


def change_everything(api: Api, branch_id: str) -> None:
    path = f"/branches/{branch_id}"
    api.done(api.call("POST", f"{path}/roles/{OWNER}/reset_password"))
    api.done(api.call("DELETE", f"{path}/databases/second"))
    api.done(api.call("POST", f"{path}/roles", {"role": {"name": "later"}}))
    api.done(api.call("PATCH", f"{path}/databases/carecircle", {"database": {"name": "renamed"}}))


@pytest.fixture
def moments(api: Api, main: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A moment, what `main` had then, and what it has now."""
    api.done(api.call("POST", f"/branches/{main}/databases", {"database": {"name": "second", "owner_name": OWNER}}))
    before, moment = catalog(api, main), quiet_moment()
    change_everything(api, main)
    after = catalog(api, main)
    assert before["passwords"][OWNER] != after["passwords"][OWNER]
    assert (set(before["databases"]), set(after["databases"])) == ({"carecircle", "second"}, {"renamed"})
    return moment, before, after


def test_a_snapshot_of_the_past(api: Api, main: str, moments: tuple[str, dict, dict]):
    moment, before, after = moments
    for query, expected in (({"timestamp": moment}, before), ({}, after)):
        snapshot = api.take_snapshot(main, **query)["id"]
        made = api.done(api.restore_snapshot(snapshot))["branch"]["id"]
        assert catalog(api, made) == expected


def test_a_branch_of_the_past(api: Api, moments: tuple[str, dict, dict]):
    moment, before, after = moments
    assert catalog(api, api.make_branch("past", parent_timestamp=moment)["branch"]["id"]) == before
    assert catalog(api, api.make_branch("head")["branch"]["id"]) == after


def test_a_restore_and_its_way_back(api: Api, main: str, moments: tuple[str, dict, dict]):
    moment, before, after = moments
    restored = {"source_branch_id": main, "source_timestamp": moment, "preserve_under_name": "old"}
    api.done(api.restore(main, **restored))
    old = api.named("old")["id"]
    assert (catalog(api, main), catalog(api, old)) == (before, after)
    # The preserved branch has the history as well, the restored one up to its moment.
    assert (
        catalog(api, api.make_branch("past of old", parent_id=old, parent_timestamp=moment)["branch"]["id"]) == before
    )
    api.done(api.restore(main, source_branch_id=old, preserve_under_name="older"))
    assert catalog(api, main) == after
    api.done(api.restore(main, **{**restored, "preserve_under_name": "oldest"}))
    assert catalog(api, main) == before


def test_a_restore_that_fails_leaves_the_history(
    api: Api, sandbox: RunningSandbox, main: str, moments: tuple[str, dict, dict]
):
    moment, before, after = moments
    body = {"source_branch_id": main, "source_timestamp": moment, "preserve_under_name": "old"}
    sandbox.faults.add("operation_fails", method="POST", seconds=0.01, final=True)
    api.done(api.restore(main, **body))
    assert catalog(api, main) == after
    api.done(api.restore(main, **body))
    assert catalog(api, main) == before


def test_a_change_that_fails_did_not_happen(api: Api, sandbox: RunningSandbox, main: str):
    before = catalog(api, main)
    sandbox.faults.add("operation_fails", method="POST", seconds=0.01, final=True)
    api.done(api.call("POST", f"/branches/{main}/roles/{OWNER}/reset_password"))
    made = api.make_branch("past", parent_timestamp=quiet_moment())["branch"]["id"]
    assert catalog(api, main) == catalog(api, made) == before


def test_the_passwords_of_the_moment_open_its_data(project: RealProject):
    project.insert(1)
    api, main = project.api, project.main
    moment, dsn = quiet_moment(), project.sandbox.dsn(main)
    api.done(api.call("POST", f"/branches/{main}/roles/{OWNER}/reset_password"))
    assert project.sandbox.dsn(main) != dsn
    project.insert(2)
    snapshot = api.take_snapshot(main, timestamp=moment)["id"]
    made = api.done(api.restore_snapshot(snapshot, target_branch_id=main, finalize_restore=True))["branch"]["id"]
    assert project.sandbox.dsn(made) == dsn
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select count(*) from entry").fetchone() == (1,)
