"""What the control plane does by itself: checks that lock a project, and forgetting what is old."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from neon_sandbox import chores
from neon_sandbox.entities import Job, Operation
from neon_sandbox.testing import RunningSandbox, running_sandbox, temporary_state_dir
from tests.sandbox.api import Api
from tests.sandbox.programs import wait_until

DAY = 86_400


def checks(api: Api) -> list[str]:
    found = api.get("/operations")["operations"]
    return [operation["id"] for operation in found if operation["action"] == "check_availability"]


def test_availability_is_checked_now_and_then_if_wished(api: Api, sandbox: RunningSandbox, main: str) -> None:
    sandbox.sandbox.tidy()
    assert checks(api) == []
    sandbox.settings(availability_checks_every_seconds=3600, operation_seconds=3)
    sandbox.sandbox.tidy()
    sandbox.move_clock(3601)
    wait_until(lambda: checks(api), "a check")
    refused = api.call("PATCH", f"/branches/{main}", {"branch": {"name": "renamed"}})
    assert (refused.status_code, api.branch(main)["name"]) == (423, "main")
    api.wait_for(checks(api)[0], "finished")
    sandbox.sandbox.tidy()
    assert len(checks(api)) == 1
    sandbox.settings(operation_seconds=0)
    sandbox.move_clock(24 * 3600)
    wait_until(lambda: len(checks(api)) == 2, "one check for all the time that was skipped")
    assert api.call("PATCH", f"/branches/{main}", {"branch": {"name": "renamed"}}).status_code in (200, 423)


def test_a_check_waits_while_others_are_at_work(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.settings(availability_checks_every_seconds=60)
    sandbox.sandbox.tidy()
    sandbox.lock_project(30)
    sandbox.move_clock(61)
    sandbox.sandbox.tidy()
    assert len([o for o in api.get("/operations")["operations"] if o["status"] != "finished"]) == 1


def test_operations_are_forgotten_after_half_a_year(api: Api, sandbox: RunningSandbox) -> None:
    old = api.make_branch("old")["operations"][0]["id"]
    sandbox.move_clock(184 * DAY)
    wait_until(lambda: api.call("GET", f"/operations/{old}").status_code == 404, "it is forgotten")
    recent = api.make_branch("recent")["operations"][0]["id"]
    sandbox.sandbox.tidy()
    assert api.wait_for(recent)["status"] == "finished"
    assert [branch["name"] for branch in api.get("/branches", sort_by="name", sort_order="asc")["branches"]] == [
        "main",
        "old",
        "recent",
    ]


def test_a_project_keeps_so_many_operations_at_most(
    api: Api, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "MOST_OPERATIONS_OF_A_PROJECT", 3)
    made = [api.make_branch(f"copy-{number}")["operations"][0]["id"] for number in range(6)]
    unfinished = sandbox.lock_project(60)[0].id
    sandbox.sandbox.tidy()
    assert [operation["id"] for operation in api.get("/operations")["operations"]] == [unfinished, made[5], made[4]]


def test_an_unfinished_operation_is_never_forgotten(api: Api, sandbox: RunningSandbox) -> None:
    unfinished = sandbox.lock_project(60)[0].id
    sandbox.move_clock(400 * DAY)
    sandbox.sandbox.tidy()
    assert api.get(f"/operations/{unfinished}")["operation"]["status"] in ("scheduling", "running", "finished")


def test_finished_work_leaves_nothing_in_the_state_but_its_operations() -> None:
    with temporary_state_dir() as directory:
        with running_sandbox(state_dir=directory / "state") as sandbox:
            api = Api(sandbox)
            with api.http:
                for number in range(3):
                    api.make_branch(f"copy-{number}")
            assert sandbox.sandbox.plane.store.find(Job) == []
        with running_sandbox(state_dir=directory / "state") as sandbox:
            store = sandbox.sandbox.plane.store
            assert (len(store.find(Operation)), store.find(Job)) == (3, [])


def test_retry_at_tells_when_a_failed_operation_goes_on(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("operation_fails", method="POST", seconds=3600)
    operation = api.call("POST", "/branches", {"branch": {"name": "copy"}}).json()["operations"][0]["id"]
    failed = api.wait_for(operation, "failed")
    retry_at = datetime.fromisoformat(failed["retry_at"])
    assert timedelta(seconds=3590) < retry_at - sandbox.now() <= timedelta(seconds=3600)
    sandbox.move_clock(1800)
    assert api.get(f"/operations/{operation}")["operation"]["status"] == "failed"
    sandbox.move_clock(1800)
    finished = api.wait_for(operation)
    assert (finished["status"], finished["failures_count"]) == ("finished", 1)
    assert not {"error", "retry_at"} & set(finished)
    assert datetime.fromisoformat(finished["updated_at"]) >= retry_at
