"""Projects that the API makes and deletes, and the accounts and regions around them."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from neon_sandbox.api.projects import ORGANISATION_ID
from neon_sandbox.store import KINDS
from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api
from tests.sandbox.programs import wait_until


def made_project(api: Api, **project: Any) -> tuple[Api, Any]:
    """A second project, ready, and the answer that it was made with."""
    answer = api.http.post("/projects", json={"project": project})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    other = Api(api.sandbox, project_id=body["project"]["id"])
    other.http.close()
    other.http = api.http
    other.done(answer)
    return other, body


def test_a_new_project_has_neons_names_unless_others_are_given(api: Api) -> None:
    other, body = made_project(api)
    assert body["project"]["name"] == body["project"]["id"]
    assert [operation["action"] for operation in body["operations"]] == ["create_timeline", "start_compute"]
    assert (body["branch"]["name"], body["branch"]["default"]) == ("main", True)
    assert (body["branch"]["current_state"], body["branch"]["pending_state"]) == ("init", "ready")
    assert [role["name"] for role in body["roles"]] == ["neondb_owner"]
    assert [database["name"] for database in body["databases"]] == ["neondb"]
    told = body["connection_uris"][0]
    assert told["connection_parameters"]["password"] == body["roles"][0]["password"]
    assert told["connection_parameters"]["password"] in told["connection_uri"]
    assert other.branch(body["branch"]["id"])["current_state"] == "ready"
    assert other.get("/endpoints")["endpoints"][0]["current_state"] == "active"
    named, body = made_project(
        api,
        name="second",
        region_id="aws-eu-central-1",
        branch={"name": "production", "database_name": "clinic", "role_name": "sally"},
        default_endpoint_settings={"autoscaling_limit_min_cu": 0.5, "autoscaling_limit_max_cu": 2},
    )
    assert (body["project"]["name"], body["project"]["region_id"]) == ("second", "aws-eu-central-1")
    assert (body["branch"]["name"], body["databases"][0]["owner_name"]) == ("production", "sally")
    endpoint = named.get("/endpoints")["endpoints"][0]
    assert (endpoint["autoscaling_limit_min_cu"], endpoint["autoscaling_limit_max_cu"]) == (0.5, 2)
    assert endpoint["region_id"] == "aws-eu-central-1"


@pytest.mark.parametrize(
    ("project", "status"),
    [
        ({"region_id": "mars-1"}, 400),
        ({"org_id": "org-other-12345678"}, 404),
        ({"pg_version": 9}, 400),
        ({"history_retention_seconds": 604_801}, 400),
        ({"branch": {"database_name": "no spaces"}}, 400),
        ({"settings": {"hipaa": True}}, 403),
        ({"settings": {"quota": {"compute_time_seconds": -1}}}, 400),
        ({"settings": {"colour": "red"}}, 400),
    ],
)
def test_what_a_project_can_not_be_made_with(api: Api, project: dict[str, object], status: int) -> None:
    assert api.http.post("/projects", json={"project": project}).status_code == status
    assert len(api.http.get("/projects").json()["projects"]) == 1


def test_a_new_project_holds_data_and_its_deletion_stops_the_compute(real_sandbox: RunningSandbox) -> None:
    first = Api(real_sandbox)
    with first.http:
        other, body = made_project(first, name="short-lived")
        uri = body["connection_uris"][0]["connection_uri"]
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("create table entry (id int)")
        branch = other.make_branch("copy", endpoint=True)
        with psycopg.connect(branch["connection_uris"][0]["connection_uri"]) as connection:
            assert connection.execute("select count(*) from entry").fetchone() == (0,)
        deleted = first.http.delete(f"/projects/{other.project_id}")
        assert (deleted.status_code, deleted.json()["project"]["name"]) == (200, "short-lived")
        assert other.call("GET", "").status_code == other.call("GET", "/operations").status_code == 404
        assert other.project_id not in [project["id"] for project in first.http.get("/projects").json()["projects"]]
        wait_until(lambda: not _accepts(uri), "the compute of a deleted project is stopped")


def _accepts(uri: str) -> bool:
    try:
        psycopg.connect(uri, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_what_keeps_a_project_from_being_deleted(api: Api) -> None:
    other, body = made_project(api)
    path = f"/projects/{other.project_id}"
    other.call("PATCH", f"/branches/{body['branch']['id']}", {"branch": {"protected": True}}).raise_for_status()
    assert api.http.delete(path).status_code == 422
    other.call("PATCH", f"/branches/{body['branch']['id']}", {"branch": {"protected": False}}).raise_for_status()
    api.sandbox.sandbox.start_foreign_operation(other.project_id, 60)
    assert api.http.delete(path).status_code == 423
    assert other.get()["project"]["id"] == other.project_id
    assert api.http.delete("/projects/no-such-project").status_code == 404


def test_nothing_of_a_deleted_project_stays_in_memory(api: Api, sandbox: RunningSandbox) -> None:
    before = _remembered(sandbox)
    other, _ = made_project(api)
    other.make_branch("copy", endpoint=True)
    api.http.delete(f"/projects/{other.project_id}").raise_for_status()
    wait_until(lambda: _remembered(sandbox) == before, "all entities of the project are gone")


def _remembered(sandbox: RunningSandbox) -> dict[str, int]:
    kinds = ("Project", "Branch", "Endpoint", "Role", "Database", "Operation", "Job")
    return {kind: len(sandbox.sandbox.plane.store.find(KINDS[kind])) for kind in kinds}


def test_lists_search_and_pages_of_projects(api: Api) -> None:
    for name in ("clinic-a", "clinic-b", "other"):
        made_project(api, name=name)
    assert {p["name"] for p in api.http.get("/projects", params={"search": "clinic"}).json()["projects"]} == {
        "clinic-a",
        "clinic-b",
    }
    seen, cursor = [], ""
    while page := api.http.get("/projects", params={"limit": 3, "cursor": cursor}).json():
        if not page["projects"]:
            break
        seen += [project["id"] for project in page["projects"]]
        cursor = page["pagination"]["cursor"]
    assert len(seen) == len(set(seen)) == 4
    assert api.http.get("/projects", params={"org_id": "org-other-1"}).json()["projects"] == []
    assert api.http.get("/projects", params={"recoverable": "true"}).json()["projects"] == []
    assert api.http.get("/projects/shared").json()["projects"] == []


def test_organisation_user_and_regions(api: Api) -> None:
    organisations = api.http.get("/users/me/organizations").json()["organizations"]
    assert [organisation["id"] for organisation in organisations] == [ORGANISATION_ID]
    assert api.http.get(f"/organizations/{ORGANISATION_ID}").json() == organisations[0]
    assert api.http.get("/organizations/org-other-1").status_code == 404
    assert api.http.get("/users/me").json()["plan"] == "launch"
    regions = api.http.get("/regions").json()["regions"]
    assert [region["region_id"] for region in regions if region["default"]] == ["aws-us-east-2"]
    assert api.http.get("/regions", params={"org_id": "org-other-1"}).status_code == 404


def test_a_personal_key_must_name_the_organisation(api: Api, sandbox: RunningSandbox) -> None:
    personal = Api(sandbox, api_key=sandbox.add_key("mine", kind="personal"))
    with personal.http as http:
        refused = http.post("/projects", json={"project": {"name": "x"}})
        assert (refused.status_code, "org_id is required" in refused.json()["message"]) == (400, True)
        assert http.post("/projects", json={"project": {"name": "x", "org_id": ORGANISATION_ID}}).status_code == 201


def test_settings_of_a_project_are_kept_and_shown(api: Api, sandbox: RunningSandbox) -> None:
    quota = {"compute_time_seconds": 36_000, "logical_size_bytes": 1 << 30}
    changed = api.done(api.call("PATCH", "", {"project": {"name": "clinic", "settings": {"quota": quota}}}))
    assert [operation["action"] for operation in changed["operations"]] == ["apply_config"]
    shown = api.get()["project"]
    assert (shown["name"], shown["settings"]["quota"]) == ("clinic", quota)
    sandbox.settings(plan="scale")
    api.done(api.call("PATCH", "", {"project": {"settings": {"hipaa": True}}}))
    assert api.get()["project"]["settings"] == {"quota": quota, "enable_logical_replication": False, "hipaa": True}
    assert api.call("PATCH", "", {"project": {"settings": {"hipaa": False}}}).status_code == 422
    assert api.call("PATCH", "", {"project": {"name": "again"}}).json()["operations"] == []


def test_the_history_window_is_changed_by_an_operation(api: Api, sandbox: RunningSandbox) -> None:
    changed = api.done(api.call("PATCH", "", {"project": {"history_retention_seconds": 3600}}))
    assert [operation["action"] for operation in changed["operations"]] == ["apply_storage_config"]
    assert api.get()["project"]["history_retention_seconds"] == 3600
    assert api.call("PATCH", "", {"project": {"history_retention_seconds": 3600}}).json()["operations"] == []
    for value in (-1, 604_801, 1.5, "3600", True):
        assert api.call("PATCH", "", {"project": {"history_retention_seconds": value}}).status_code == 400
    sandbox.settings(plan="free")
    _, body = made_project(api)
    assert body["project"]["history_retention_seconds"] == 21_600


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/branch_anonymized"),
        ("GET", "/branches/{main}/masking_rules"),
        ("PATCH", "/branches/{main}/masking_rules"),
        ("POST", "/branches/{main}/anonymize"),
        ("GET", "/branches/{main}/anonymized_status"),
        ("POST", "/branches/{main}/recover"),
        ("POST", "/recover"),
    ],
)
def test_what_is_not_offered_says_so(api: Api, main: str, method: str, path: str) -> None:
    assert api.http.get("/consumption_history/projects").status_code == 422
    answer: httpx.Response = api.call(method, path.format(main=main), {} if method != "GET" else None)
    assert answer.status_code == 422
    assert "local sandbox" in answer.json()["message"]
    assert len(api.get("/branches")["branches"]) == 1
