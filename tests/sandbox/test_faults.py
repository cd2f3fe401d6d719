"""Every fault over a real socket: what the client sees, and whether the work was done."""

from __future__ import annotations

import time

import httpx
import pytest

from neon_sandbox.faults import KINDS
from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api

CREATE = ("POST", "/branches", {"branch": {"name": "copy"}})


def names(api: Api) -> set[str]:
    return {branch["name"] for branch in api.get("/branches")["branches"]}


def test_answer_lost_after_the_work(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("lose_answer", method="POST", path="/branches$")
    with pytest.raises(httpx.RemoteProtocolError):
        api.call(*CREATE)
    assert "copy" in names(api)
    call = sandbox.calls("POST", "/branches")[0]
    assert (call["applied"], call["answered"], call["fault"], call["status"]) == (True, False, "lose_answer", 201)
    assert call["body"] == CREATE[2]


def test_work_that_lands_after_the_client_gave_up(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("apply_late", method="POST", seconds=1.0)
    with pytest.raises(httpx.RemoteProtocolError):
        api.call(*CREATE)
    assert "copy" not in names(api)
    deadline = time.monotonic() + 10
    # The record of the call is written just after the work that it tells of.
    while not sandbox.calls("POST", "/branches")[0]["applied"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sandbox.calls("POST", "/branches")[0]["applied"]
    assert "copy" in names(api)


@pytest.mark.parametrize("status", [423, 429, 500, 503])
def test_statuses_do_nothing(api: Api, sandbox: RunningSandbox, status: int) -> None:
    sandbox.faults.add("status", method="POST", status=status, retry_after=7)
    answer = api.call(*CREATE)
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "7")
    assert set(answer.json()) == {"request_id", "code", "message"}
    assert "copy" not in names(api)
    assert not sandbox.calls("POST")[0]["applied"]
    assert api.call(*CREATE).status_code == 201


def test_error_after_success(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("error_after_success", method="POST")
    assert api.call(*CREATE).status_code == 500
    assert "copy" in names(api)


@pytest.mark.parametrize("apply", [False, True])
def test_hang(api: Api, sandbox: RunningSandbox, apply: bool) -> None:
    sandbox.faults.add("hang", method="POST", apply=apply)
    with pytest.raises(httpx.ReadTimeout):
        api.http.post(f"/projects/{api.project_id}/branches", json=CREATE[2], timeout=0.1)
    assert ("copy" in names(api)) is apply
    sandbox.faults.clear()


def test_drip(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("drip", interval_seconds=0.002)
    started = time.monotonic()
    answer = api.http.get("/auth")
    assert answer.json()["auth_method"] == "api_key_org"
    assert time.monotonic() - started > 0.002 * len(answer.content)


@pytest.mark.parametrize("apply", [False, True])
def test_html(api: Api, sandbox: RunningSandbox, apply: bool) -> None:
    sandbox.faults.add("html", method="POST", apply=apply)
    answer = api.call(*CREATE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (524, "text/html")
    assert ("copy" in names(api)) is apply


def test_dropped_fields(api: Api, sandbox: RunningSandbox, main: str) -> None:
    sandbox.faults.add("drop_fields", fields=["operations", "parent_id", "default"])
    assert "operations" not in api.call(*CREATE).json()
    assert "default" in api.branch(main)


def test_slow_operations(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("delay_operations", method="POST", seconds=0.3)
    operation = api.call(*CREATE).json()["operations"][0]
    assert api.wait_for(operation["id"])["total_duration_ms"] >= 300


def test_key_revoked_in_the_middle(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("revoke_key", method="POST")
    assert api.call("GET", "").status_code == 200
    assert api.call(*CREATE).status_code == 401
    assert api.call("GET", "").status_code == 401


def test_somebody_elses_operation(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("foreign_operation", method="POST", seconds=0.2)
    assert api.call(*CREATE).status_code == 423
    foreign = api.get("/operations")["operations"][0]
    assert foreign["action"] == "check_availability"
    api.wait_for(foreign["id"])
    assert api.call(*CREATE).status_code == 201


def test_faults_over_http(api: Api, sandbox: RunningSandbox) -> None:
    control = f"{sandbox.root_url}/_sandbox/faults"
    fault = {"kind": "status", "method": "get", "path": "/auth$", "times": 2, "parameters": {"status": 503}}
    assert api.http.post(control, json=fault).status_code == 201
    assert [api.http.get("/auth").status_code for _ in range(3)] == [503, 503, 200]
    assert api.http.get(control).json()["faults"][0]["used"] == 2
    assert api.http.delete(control).status_code == 204
    assert api.http.get(control).json() == {"faults": []}
    for wrong in ({"kind": "nothing"}, {"kind": "hang", "seconds": 3}, {"kind": "hang", "path": "("}):
        assert api.http.post(control, json=wrong).status_code == 400


def test_settings_over_http(api: Api, sandbox: RunningSandbox) -> None:
    control = f"{sandbox.root_url}/_sandbox/settings"
    assert api.http.patch(control, json={"plan": "scale"}).json()["settings"]["plan"] == "scale"
    assert api.http.patch(control, json={"plan": "huge"}).status_code == 400
    assert api.http.patch(control, json={"colour": "red"}).status_code == 400


def test_every_kind_of_fault_is_described_and_done(api: Api, sandbox: RunningSandbox) -> None:
    app = sandbox.app
    known = {name for name in KINDS if hasattr(app, f"_{name}")} | {"drip"}
    assert known == set(KINDS)
