from __future__ import annotations

import pytest

from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api, ago


def test_an_operation_runs_in_the_background(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.settings(operation_seconds=0.1)
    operation = api.call("POST", "/branches", {"branch": {"name": "copy"}}).json()["operations"][0]
    assert operation["status"] == "scheduling"
    api.wait_for(operation["id"], "running")
    ended = api.wait_for(operation["id"])
    assert ended["status"] == "finished"
    assert ended["total_duration_ms"] >= 100


def test_while_one_operation_is_unfinished_every_change_of_the_project_answers_423(
    api: Api, sandbox: RunningSandbox, main: str
) -> None:
    other = api.make_branch("other", endpoint=True)
    endpoint = other["endpoints"][0]["id"]
    operation = sandbox.lock_project(60)[0]
    changes: list[tuple[str, str, dict[str, object] | None]] = [
        ("POST", "/branches", {"branch": {"name": "third"}}),
        ("PATCH", f"/branches/{main}", {"branch": {"name": "renamed"}}),
        ("DELETE", f"/branches/{other['branch']['id']}", None),
        ("POST", f"/branches/{main}/set_as_default", None),
        (
            "POST",
            f"/branches/{main}/restore",
            {"source_branch_id": main, "source_timestamp": ago(seconds=1), "preserve_under_name": "old"},
        ),
        ("POST", f"/endpoints/{endpoint}/suspend", None),
        ("PATCH", "", {"project": {"name": "renamed"}}),
        ("POST", f"/branches/{main}/databases", {"database": {"name": "d", "owner_name": "carecircle_owner"}}),
    ]
    for method, path, body in changes:
        answer = api.call(method, path, body)
        assert (method, path, answer.status_code) == (method, path, 423)
        assert "conflicting operations" in answer.json()["message"]
    assert api.get("/operations")["operations"][0]["id"] == operation.id
    assert {branch["name"] for branch in api.get("/branches")["branches"]} == {"main", "other"}


def test_newest_operations_first_page_by_page(api: Api) -> None:
    for number in range(3):
        api.make_branch(f"copy-{number}", endpoint=True)
    whole = [operation["id"] for operation in api.get("/operations")["operations"]]
    assert len(whole) == 6
    seen, cursor = [], ""
    while page := api.get("/operations", limit=4, cursor=cursor) if cursor else api.get("/operations", limit=4):
        if not page["operations"]:
            break
        seen += [operation["id"] for operation in page["operations"]]
        cursor = page["pagination"]["cursor"]
    assert seen == whole


def test_failed_is_not_the_end(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("operation_fails", method="POST", action="start_compute", seconds=0.2)
    made = api.call("POST", "/branches", {"branch": {"name": "copy"}, "endpoints": [{"type": "read_write"}]}).json()
    create, start = (operation["id"] for operation in made["operations"])
    failed = api.wait_for(start, "failed")
    assert failed["failures_count"] == 1
    assert {"error", "retry_at"} <= set(failed)
    assert api.call("POST", "/branches", {"branch": {"name": "other"}}).status_code == 423
    assert api.wait_for(start)["status"] == api.wait_for(create)["status"] == "finished"


def test_endpoints_are_suspended_and_started(api: Api, main: str) -> None:
    endpoint = api.get("/endpoints")["endpoints"][0]
    path = f"/endpoints/{endpoint['id']}"
    suspended = api.done(api.call("POST", f"{path}/suspend"))
    assert [operation["action"] for operation in suspended["operations"]] == ["suspend_compute"]
    assert suspended["endpoint"]["pending_state"] == "idle"
    assert api.get(path)["endpoint"]["current_state"] == "idle"
    assert api.call("POST", f"{path}/suspend").json()["operations"] == []
    api.done(api.call("POST", f"{path}/start"))
    assert api.get(path)["endpoint"]["current_state"] == "active"


def test_a_suspended_branch_stays_suspended_through_a_restore(api: Api, main: str) -> None:
    endpoint = api.get("/endpoints")["endpoints"][0]["id"]
    api.done(api.call("POST", f"/endpoints/{endpoint}/suspend"))
    api.done(api.restore(main, source_branch_id=main, source_timestamp=ago(seconds=1), preserve_under_name="old"))
    assert api.get(f"/endpoints/{endpoint}")["endpoint"]["current_state"] == "idle"


def test_an_endpoint_can_be_added_once(api: Api) -> None:
    branch_id = api.make_branch("bare")["branch"]["id"]
    body = {"endpoint": {"branch_id": branch_id, "type": "read_write"}}
    added = api.call("POST", "/endpoints", body)
    assert added.status_code == 201
    api.done(added)
    assert api.call("POST", "/endpoints", body).status_code == 409
    assert api.call("POST", "/endpoints", {"endpoint": {"branch_id": branch_id, "type": "x"}}).status_code == 422


@pytest.mark.parametrize("path", ["/operations/nothing", "/endpoints/ep-no-such-12345678", "/branches/br-no-no-1"])
def test_unknown_ids(api: Api, path: str) -> None:
    assert api.call("GET", path).status_code == 404


def test_roles_and_databases(api: Api, main: str) -> None:
    assert [role["name"] for role in api.get(f"/branches/{main}/roles")["roles"]] == ["carecircle_owner"]
    role = api.call("POST", f"/branches/{main}/roles", {"role": {"name": "reader"}})
    assert role.status_code == 201
    api.done(role)
    assert api.get(f"/branches/{main}/roles/reader/reveal_password") == {"password": role.json()["role"]["password"]}
    body = {"database": {"name": "second", "owner_name": "reader"}}
    api.done(api.call("POST", f"/branches/{main}/databases", body))
    assert api.call("POST", f"/branches/{main}/databases", body).status_code == 409
    owners = {item["name"]: item["owner_name"] for item in api.get(f"/branches/{main}/databases")["databases"]}
    assert owners == {"carecircle": "carecircle_owner", "second": "reader"}
    assert api.call("GET", f"/branches/{main}/roles/nobody/reveal_password").status_code == 404
    # With several databases Neon no longer hands out a connection string on creation.
    assert "connection_uris" not in api.make_branch("copy", endpoint=True)


def test_connection_uri_can_point_elsewhere(api: Api, sandbox: RunningSandbox, main: str) -> None:
    query = {"database_name": "carecircle", "role_name": "carecircle_owner", "branch_id": main}
    assert api.get("/connection_uri", **query)["uri"].endswith("/carecircle?sslmode=disable")
    sandbox.settings(connection_uri="postgresql://any", connection_uris={main: "postgresql://main"})
    assert api.get("/connection_uri", **query)["uri"] == "postgresql://main"
    copy = api.make_branch("copy", endpoint=True)
    assert copy["connection_uris"][0]["connection_uri"] == "postgresql://any"
    assert api.call("GET", "/connection_uri", database_name="x").status_code == 400
