"""Computes, roles and databases that are changed and deleted: the answers, and what PostgreSQL then does."""

from __future__ import annotations

import psycopg
import pytest

from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api
from tests.sandbox.real import RealProject


def endpoint_of(api: Api, branch_id: str) -> str:
    endpoint_id: str = api.get(f"/branches/{branch_id}/endpoints")["endpoints"][0]["id"]
    return endpoint_id


def test_a_compute_is_changed(api: Api, main: str) -> None:
    path = f"/endpoints/{endpoint_of(api, main)}"
    body = {"autoscaling_limit_min_cu": 1, "autoscaling_limit_max_cu": 4, "suspend_timeout_seconds": 600}
    changed = api.done(api.call("PATCH", path, {"endpoint": body}))
    assert [operation["action"] for operation in changed["operations"]] == ["apply_config"]
    shown = api.get(path)["endpoint"]
    assert {name: shown[name] for name in body} == body
    named = api.call("PATCH", path, {"endpoint": {"name": "primary"}}).json()
    assert (named["endpoint"]["name"], named["operations"]) == ("primary", [])


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [
        ({"autoscaling_limit_min_cu": 0.1}, 400),
        ({"autoscaling_limit_min_cu": 4, "autoscaling_limit_max_cu": 1}, 400),
        ({"suspend_timeout_seconds": 30}, 400),
        ({"suspend_timeout_seconds": 604_801}, 400),
        ({"settings": {}}, 400),
        ({"branch_id": "br-other-one-12345678"}, 422),
    ],
)
def test_what_a_compute_can_not_be(api: Api, main: str, endpoint: dict[str, object], status: int) -> None:
    path = f"/endpoints/{endpoint_of(api, main)}"
    before = api.get(path)
    assert api.call("PATCH", path, {"endpoint": endpoint}).status_code == status
    assert api.get(path) == before


def test_a_disabled_compute_stops_and_does_not_start(api: Api, main: str) -> None:
    path = f"/endpoints/{endpoint_of(api, main)}"
    disabled = api.done(api.call("PATCH", path, {"endpoint": {"disabled": True}}))
    assert [operation["action"] for operation in disabled["operations"]] == ["suspend_compute"]
    assert api.get(path)["endpoint"]["current_state"] == "idle"
    assert api.call("POST", f"{path}/start").status_code == api.call("POST", f"{path}/restart").status_code == 422
    api.done(api.call("PATCH", path, {"endpoint": {"disabled": False}}))
    api.done(api.call("POST", f"{path}/start"))
    assert api.get(path)["endpoint"]["current_state"] == "active"


def test_a_compute_in_transition_can_not_be_suspended(api: Api, sandbox: RunningSandbox, main: str) -> None:
    path = f"/endpoints/{endpoint_of(api, main)}"
    sandbox.faults.add("delay_operations", method="POST", path="/restart", seconds=30)
    restarted = api.call("POST", f"{path}/restart").json()
    assert [operation["action"] for operation in restarted["operations"]] == ["suspend_compute", "start_compute"]
    refused = api.call("POST", f"{path}/suspend")
    assert (refused.status_code, "transitive state" in refused.json()["message"]) == (423, True)


def test_a_read_only_compute_is_refused_with_the_reason(api: Api, main: str) -> None:
    refused = api.call("POST", "/endpoints", {"endpoint": {"branch_id": main, "type": "read_only"}})
    assert (refused.status_code, "read_write" in refused.json()["message"]) == (422, True)


def test_restart_cuts_sessions_and_deletion_frees_the_branch_for_another_compute(shared: RealProject) -> None:
    api, branch = shared.api, shared.branch("restarted")
    endpoint = endpoint_of(api, branch)
    session = shared.connect(branch)
    api.done(api.call("POST", f"/endpoints/{endpoint}/restart"))
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    assert shared.ids(branch) == []
    dsn = shared.sandbox.dsn(branch)
    api.call("PATCH", f"/branches/{branch}", {"branch": {"protected": True}}).raise_for_status()
    assert api.call("DELETE", f"/endpoints/{endpoint}").status_code == 422
    api.call("PATCH", f"/branches/{branch}", {"branch": {"protected": False}}).raise_for_status()
    api.done(api.call("DELETE", f"/endpoints/{endpoint}"))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
    assert api.call("DELETE", f"/endpoints/{endpoint}").status_code == 204
    shared.add_endpoint(branch)
    assert shared.ids(branch) == []


def test_a_reset_password_replaces_the_old_one_and_cuts_sessions(shared: RealProject) -> None:
    api, branch = shared.api, shared.branch("rekeyed")
    old = shared.sandbox.dsn(branch)
    session = psycopg.connect(old)
    role = f"/branches/{branch}/roles/carecircle_owner"
    reset = api.done(api.call("POST", f"{role}/reset_password"))
    assert api.get(f"{role}/reveal_password")["password"] == reset["role"]["password"]
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(old)
    assert shared.ids(branch) == []


def test_roles_and_databases_come_and_go_in_postgresql(shared: RealProject) -> None:
    api, branch = shared.api, shared.branch("catalog")
    before = _databases(shared, branch)
    roles, databases = f"/branches/{branch}/roles", f"/branches/{branch}/databases"
    api.done(api.call("POST", roles, {"role": {"name": "keeper"}}))
    api.done(api.call("POST", databases, {"database": {"name": "stock", "owner_name": "keeper"}}))
    shared.execute("create table kept (id int)", branch_id=branch)
    shared.execute("grant all on kept to keeper", branch_id=branch)
    assert api.call("DELETE", f"{roles}/keeper").status_code == 422
    body = {"database": {"name": "stores", "owner_name": "carecircle_owner"}}
    api.done(api.call("PATCH", f"{databases}/stock", body))
    assert api.get(f"{databases}/stores")["database"]["owner_name"] == "carecircle_owner"
    assert api.call("GET", f"{databases}/stock").status_code == 404
    assert _databases(shared, branch) == before | {"stores"}
    api.done(api.call("DELETE", f"{roles}/keeper"))
    assert api.call("DELETE", f"{roles}/keeper").status_code == 204
    with shared.connect(branch) as connection:
        assert connection.execute("select from pg_roles where rolname = 'keeper'").fetchone() is None
    open_session = psycopg.connect(shared.sandbox.dsn(branch, database="stores"))
    api.done(api.call("DELETE", f"{databases}/stores"))
    assert api.call("DELETE", f"{databases}/stores").status_code == 204
    assert _databases(shared, branch) == before
    with pytest.raises(psycopg.OperationalError):
        open_session.execute("select 1")


def _databases(project: RealProject, branch: str) -> set[str]:
    with project.connect(branch) as connection:
        rows = connection.execute("select datname from pg_database where not datistemplate and datname <> 'postgres'")
        return {name for (name,) in rows}


def test_a_change_that_fails_leaves_the_catalog_as_it_was(api: Api, sandbox: RunningSandbox, main: str) -> None:
    api.done(api.call("POST", f"/branches/{main}/roles", {"role": {"name": "keeper"}}))
    roles, databases = api.get(f"/branches/{main}/roles"), api.get(f"/branches/{main}/databases")
    password = api.get(f"/branches/{main}/roles/keeper/reveal_password")
    for method, path, body in (
        ("DELETE", "/roles/keeper", None),
        ("POST", "/roles/keeper/reset_password", None),
        ("PATCH", "/databases/carecircle", {"database": {"name": "renamed"}}),
        ("DELETE", "/databases/carecircle", None),
    ):
        sandbox.faults.add("operation_fails", method=method, seconds=0, final=True)
        answer = api.call(method, f"/branches/{main}{path}", body).json()
        assert api.wait_for(answer["operations"][0]["id"])["status"] == "error"
        assert "retry_at" not in api.get(f"/operations/{answer['operations'][0]['id']}")["operation"]
    assert api.get(f"/branches/{main}/roles")["roles"] == roles["roles"]
    assert api.get(f"/branches/{main}/databases") == databases
    assert api.get(f"/branches/{main}/roles/keeper/reveal_password") == password


def test_a_database_can_not_take_a_name_or_an_owner_that_is_not_there(api: Api, main: str) -> None:
    path = f"/branches/{main}/databases"
    api.done(api.call("POST", path, {"database": {"name": "second", "owner_name": "carecircle_owner"}}))
    assert api.call("PATCH", f"{path}/second", {"database": {"name": "carecircle"}}).status_code == 409
    assert api.call("PATCH", f"{path}/second", {"database": {"owner_name": "nobody"}}).status_code == 404
    assert api.call("PATCH", f"{path}/second", {"database": {"name": "no spaces"}}).status_code == 400
