"""The sandbox's own routes, and the callable without a socket."""

from __future__ import annotations

import httpx

from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api


def test_connection_string_without_the_api(api: Api, sandbox: RunningSandbox, main: str) -> None:
    control = f"{sandbox.root_url}/_sandbox/branches"
    assert api.http.get(f"{control}/{main}/dsn").json() == {"dsn": sandbox.dsn()}
    assert api.http.get(f"{control}/{main}/dsn", params={"role": "nobody"}).status_code == 404
    bare = api.make_branch("bare")["branch"]["id"]
    assert api.http.get(f"{control}/{bare}/dsn").status_code == 404


def test_a_second_project_is_apart(api: Api, sandbox: RunningSandbox) -> None:
    made = api.http.post(f"{sandbox.root_url}/_sandbox/projects", json={"name": "second", "databases": ["other"]})
    second = Api(sandbox, project_id=made.json()["project"]["id"])
    with second.http:
        sandbox.lock_project(60)
        assert second.make_branch("copy")["databases"][0]["name"] == "other"
        assert api.call("POST", "/branches", {"branch": {"name": "copy"}}).status_code == 423
        assert second.call("GET", f"/branches/{sandbox.branch_id}").status_code == 404


def test_a_foreign_operation_on_demand(api: Api, sandbox: RunningSandbox) -> None:
    made = api.http.post(f"{sandbox.root_url}/_sandbox/foreign_operation", json={"seconds": 0.05})
    assert made.status_code == 201
    assert api.wait_for(made.json()["operations"][0]["id"])["status"] == "finished"


def test_calls_are_recorded_and_forgotten(api: Api, sandbox: RunningSandbox, main: str) -> None:
    api.branch(main)
    control = f"{sandbox.root_url}/_sandbox/calls"
    recorded = api.http.get(control).json()["calls"]
    assert [(call["method"], call["status"], call["applied"]) for call in recorded] == [("GET", 200, False)]
    assert recorded[0]["path"].endswith(f"/branches/{main}")
    assert api.http.delete(control).status_code == 204
    assert api.http.get(control).json() == {"calls": []}


def test_no_key_is_ever_recorded(api: Api, sandbox: RunningSandbox) -> None:
    api.get("/branches")
    assert sandbox.api_key not in str(sandbox.calls())
    files = list(sandbox.sandbox.state_dir.glob("sandbox.sqlite3*"))
    assert files
    assert not any(sandbox.api_key.encode() in file.read_bytes() for file in files)


def test_the_same_sandbox_mounted_as_wsgi(api: Api, sandbox: RunningSandbox) -> None:
    transport = httpx.WSGITransport(app=sandbox.app)
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    with httpx.Client(transport=transport, base_url="http://sandbox/api/v2", headers=headers) as mounted:
        project = mounted.get(f"/projects/{sandbox.project_id}").json()
    assert project == api.get()
