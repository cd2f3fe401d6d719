from __future__ import annotations

import httpx
import pytest

from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic napi_x"}])
def test_without_a_valid_key_nothing_is_told(sandbox: RunningSandbox, headers: dict[str, str]) -> None:
    with httpx.Client(base_url=sandbox.root_url, headers=headers, trust_env=False) as http:
        for path in ("/api/v2/projects", f"/api/v2/projects/{sandbox.project_id}", "/api/v2/auth", "/_sandbox/calls"):
            answer = http.get(path)
            assert answer.status_code == 401
            assert set(answer.json()) == {"request_id", "code", "message"}


def test_a_revoked_key_is_refused_and_another_one_still_works(sandbox: RunningSandbox, api: Api) -> None:
    other = Api(sandbox, api_key=sandbox.add_key("other", kind="project"))
    with other.http:
        assert api.http.delete(f"{sandbox.root_url}/_sandbox/keys/first").status_code == 204
        assert api.call("GET", "").status_code == 401
        assert other.call("GET", "").status_code == 200
        # Whoever holds a revoked key can still steer the sandbox.
        assert api.http.get(f"{sandbox.root_url}/_sandbox/calls").status_code == 200


@pytest.mark.parametrize(
    ("kind", "method"), [("personal", "api_key_user"), ("organisation", "api_key_org"), ("project", "api_key_org")]
)
def test_auth_tells_the_kind_of_key(sandbox: RunningSandbox, kind: str, method: str) -> None:
    client = Api(sandbox, api_key=sandbox.add_key("kind", kind=kind))
    with client.http as http:
        assert http.get("/auth").json()["auth_method"] == method
        assert http.get("/projects").status_code == (400 if kind == "personal" else 200)


def test_request_id_comes_back(api: Api) -> None:
    answer = api.http.get("/projects/no-such-project", headers={"X-Request-ID": "mine-1"})
    assert answer.status_code == 404
    assert answer.json()["request_id"] == "mine-1"
    assert answer.headers["x-neon-ret-request-id"] == "mine-1"


def test_project_in_neons_form(api: Api, sandbox: RunningSandbox) -> None:
    project = api.get()["project"]
    assert project["id"] == sandbox.project_id
    assert project["owner"]["subscription_type"] == "launch_v3"
    assert project["history_retention_seconds"] == 86_400
    assert not {"state", "last_backup"} & set(project)


def test_last_page_of_projects_carries_a_cursor(api: Api, sandbox: RunningSandbox) -> None:
    first = api.http.get("/projects").json()
    assert [project["id"] for project in first["projects"]] == [sandbox.project_id]
    second = api.http.get("/projects", params={"cursor": first["pagination"]["cursor"]}).json()
    assert second["projects"] == []
    assert "pagination" not in second


def test_history_window_is_capped_by_the_plan(api: Api, sandbox: RunningSandbox) -> None:
    body = {"project": {"history_retention_seconds": 1_000_000}}
    assert api.call("PATCH", "", body).status_code == 400
    sandbox.settings(plan="scale")
    assert api.call("PATCH", "", body).json()["project"]["history_retention_seconds"] == 1_000_000


def test_routes_work_without_prefix_and_say_what_is_wrong(api: Api, sandbox: RunningSandbox) -> None:
    assert api.http.get(f"{sandbox.root_url}/projects/{sandbox.project_id}").status_code == 200
    assert api.http.get("/nothing").status_code == 404
    assert api.http.delete("/projects").status_code == 405


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"branch": 3}'])
def test_a_malformed_body_changes_nothing(api: Api, body: bytes) -> None:
    answer = api.http.post(f"/projects/{api.project_id}/branches", content=body)
    assert answer.status_code == 400
    assert len(api.get("/branches")["branches"]) == 1
