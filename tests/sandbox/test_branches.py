from __future__ import annotations

import re
import time

import pytest

from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api, ago, ahead


def test_a_new_branch_goes_from_init_to_ready(api: Api, sandbox: RunningSandbox, main: str) -> None:
    sandbox.settings(operation_seconds=0.05)
    created = api.call("POST", "/branches", {"branch": {"name": "copy"}, "endpoints": [{"type": "read_write"}]})
    assert created.status_code == 201
    body = created.json()
    assert re.fullmatch(r"br-[a-z0-9]+-[a-z0-9]+-[a-z0-9]+", body["branch"]["id"])
    assert (body["branch"]["current_state"], body["branch"]["pending_state"]) == ("init", "ready")
    assert [(item["action"], item["status"]) for item in body["operations"]] == [
        ("create_branch", "scheduling"),
        ("start_compute", "scheduling"),
    ]
    api.done(created)
    ready = api.branch(body["branch"]["id"])
    assert ready["current_state"] == "ready"
    assert "pending_state" not in ready
    assert ready["parent_id"] == main
    assert ready["parent_lsn"]
    assert api.get(f"/branches/{ready['id']}/endpoints")["endpoints"][0]["current_state"] == "active"


def test_without_endpoint_there_is_nothing_to_connect_to(api: Api) -> None:
    made = api.make_branch("bare")
    assert made["endpoints"] == []
    assert "connection_uris" not in made
    query = {"branch_id": made["branch"]["id"], "database_name": "carecircle", "role_name": "carecircle_owner"}
    assert api.call("GET", "/connection_uri", **query).status_code == 404


def test_names_are_unique(api: Api) -> None:
    api.make_branch("copy")
    again = api.call("POST", "/branches", {"branch": {"name": "copy"}})
    assert again.status_code == 409
    assert "already exists" in again.json()["message"]
    assert len(api.get("/branches")["branches"]) == 2


def test_pages_end_with_a_cursor_and_then_an_empty_page(api: Api) -> None:
    for number in range(4):
        api.make_branch(f"copy-{number}")
    seen, cursor = [], ""
    while True:
        page = api.get("/branches", limit=2, sort_by="name", sort_order="asc", cursor=cursor)
        assert "annotations" in page
        if not page["branches"]:
            break
        seen += [branch["name"] for branch in page["branches"]]
        cursor = page["pagination"]["next"]
    assert seen == ["copy-0", "copy-1", "copy-2", "copy-3", "main"]
    assert "next" not in page["pagination"]


def test_search_finds_parts_of_name_or_id(api: Api, main: str) -> None:
    api.make_branch("maintenance")
    assert {branch["name"] for branch in api.get("/branches", search="main")["branches"]} == {"main", "maintenance"}
    assert [branch["id"] for branch in api.get("/branches", search=main[3:])["branches"]] == [main]
    assert api.get("/branches/count", search="maint") == {"count": 1}


def test_annotations_come_back(api: Api) -> None:
    body = {"branch": {"name": "tagged"}, "annotation_value": {"request": "42"}}
    branch_id = api.done(api.call("POST", "/branches", body))["branch"]["id"]
    assert api.get(f"/branches/{branch_id}")["annotation"]["value"] == {"request": "42"}
    assert api.get("/branches")["annotations"][branch_id]["value"] == {"request": "42"}


@pytest.mark.parametrize(
    ("branch", "status"),
    [
        ({"parent_timestamp": ago(seconds=5)}, 201),
        ({"parent_timestamp": ahead(days=1)}, 400),
        ({"parent_timestamp": ago(days=2)}, 400),
        ({"parent_timestamp": "2026-11-22T10:00:00"}, 400),
        ({"parent_timestamp": "yesterday"}, 400),
        ({"parent_timestamp": "2026-02-30T10:00:00Z"}, 400),
        ({"parent_lsn": "0/1E19478"}, 201),
        ({"parent_lsn": "FFFFFFFF/0"}, 400),
        ({"parent_lsn": "rubbish"}, 400),
        ({"parent_lsn": "0/1E19478", "parent_timestamp": ago(seconds=5)}, 400),
        ({"parent_id": "br-no-such-12345678"}, 404),
        ({"expires_at": ago(seconds=1)}, 400),
        ({"expires_at": ahead(days=31)}, 400),
        ({"expires_at": ahead(hours=1), "protected": True}, 422),
        ({"name": ""}, 400),
        ({"name": "x" * 257}, 400),
    ],
)
def test_what_a_branch_can_be_made_from(api: Api, branch: dict[str, object], status: int) -> None:
    assert api.call("POST", "/branches", {"branch": {"name": "copy", **branch}}).status_code == status


def test_a_child_has_no_history_from_before_it_was_made(api: Api) -> None:
    child = api.make_branch("child")["branch"]["id"]
    body = {"branch": {"parent_id": child, "parent_timestamp": ago(seconds=30)}}
    assert api.call("POST", "/branches", body).status_code == 400


def test_an_expired_branch_is_deleted_in_the_background(api: Api) -> None:
    branch_id = api.make_branch("short", expires_at=ahead(seconds=1.5))["branch"]["id"]
    body = {"branch": {"parent_id": branch_id}}
    assert api.call("POST", "/branches", body).status_code == 422
    deadline = time.monotonic() + 10
    while api.call("GET", f"/branches/{branch_id}").status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert api.call("GET", f"/branches/{branch_id}").status_code == 404
    assert api.get("/operations")["operations"][0]["action"] == "delete_timeline"


def test_expiry_can_be_changed_and_cleared(api: Api, main: str) -> None:
    branch_id = api.make_branch("copy", expires_at=ahead(hours=1))["branch"]["id"]
    cleared = api.call("PATCH", f"/branches/{branch_id}", {"branch": {"expires_at": None}}).json()["branch"]
    assert "expires_at" not in cleared
    refused = api.call("PATCH", f"/branches/{main}", {"branch": {"expires_at": ahead(hours=1)}})
    assert refused.status_code == 422


def test_rename_and_protect(api: Api, main: str) -> None:
    api.make_branch("copy")
    assert api.call("PATCH", f"/branches/{main}", {"branch": {"name": "copy"}}).status_code == 409
    changed = api.call("PATCH", f"/branches/{main}", {"branch": {"name": "production", "protected": True}}).json()
    assert (changed["branch"]["name"], changed["branch"]["protected"]) == ("production", True)


def test_deleting_twice_is_harmless(api: Api) -> None:
    branch_id = api.make_branch("copy", endpoint=True)["branch"]["id"]
    first = api.call("DELETE", f"/branches/{branch_id}")
    assert first.status_code == 200
    again = api.call("DELETE", f"/branches/{branch_id}")
    assert (again.status_code, again.content) == (204, b"")
    api.done(first)
    assert api.call("GET", f"/branches/{branch_id}").status_code == 404


def test_what_can_not_be_deleted(api: Api, main: str) -> None:
    parent = api.make_branch("parent")["branch"]["id"]
    api.make_branch("child", parent_id=parent)
    protected = api.make_branch("protected", protected=True)["branch"]["id"]
    api.call("POST", f"/branches/{protected}/set_as_default").raise_for_status()
    reasons = {}
    for branch_id in (main, parent, protected):
        answer = api.call("DELETE", f"/branches/{branch_id}")
        assert answer.status_code == 422
        reasons[branch_id] = answer.json()["message"]
    assert "root branch of the project" in reasons[main]
    assert "children" in reasons[parent]
    assert "default" in reasons[protected]


def test_one_branch_is_the_default(api: Api, main: str) -> None:
    other = api.make_branch("other")["branch"]["id"]
    assert api.call("POST", f"/branches/{other}/set_as_default").json()["branch"]["default"]
    assert not api.branch(main)["default"]


def test_child_of_a_protected_branch_gets_other_passwords(api: Api, main: str) -> None:
    reveal = "/roles/carecircle_owner/reveal_password"
    api.call("PATCH", f"/branches/{main}", {"branch": {"protected": True}}).raise_for_status()
    child = api.make_branch("child")["branch"]["id"]
    assert api.get(f"/branches/{main}{reveal}") != api.get(f"/branches/{child}{reveal}")


def test_branch_cap(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.settings(branch_cap=2)
    api.make_branch("second")
    refused = api.call("POST", "/branches", {"branch": {"name": "third"}})
    assert (refused.status_code, refused.json()["code"]) == (422, "BRANCHES_LIMIT_EXCEEDED")
