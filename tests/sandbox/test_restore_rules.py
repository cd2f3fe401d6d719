from __future__ import annotations

import pytest

from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api, ago, ahead


def test_restore_keeps_identity_and_preserves_the_old_state(api: Api, main: str) -> None:
    before, uri = api.branch(main), _uri(api)
    endpoint = api.get(f"/branches/{main}/endpoints")["endpoints"][0]
    child = api.make_branch("child")["branch"]["id"]
    answer = api.restore(main, source_branch_id=main, source_timestamp=ago(seconds=2), preserve_under_name="main_old")
    assert answer.status_code == 200
    assert answer.json()["branch"]["current_state"] == "resetting"
    api.done(answer)

    restored, preserved = api.branch(main), api.named("main_old")
    assert (restored["id"], restored["name"], restored["created_at"]) == (main, "main", before["created_at"])
    assert restored["last_reset_at"]
    assert restored["current_state"] == preserved["current_state"] == "ready"
    assert "parent_id" not in restored
    assert "parent_id" not in preserved
    assert preserved["id"] != main
    assert api.branch(child)["parent_id"] == preserved["id"]
    after = api.get(f"/branches/{main}/endpoints")["endpoints"][0]
    assert (after["id"], after["host"]) == (endpoint["id"], endpoint["host"])
    assert api.get(f"/branches/{preserved['id']}/endpoints")["endpoints"] == []
    assert _uri(api) == uri


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "source_branch_id"),
        ({"source_branch_id": "br-no-such-12345678"}, 404, "source branch"),
        ({"source_branch_id": "MAIN", "preserve_under_name": "old"}, 400, "source_timestamp or source_lsn"),
        ({"source_branch_id": "MAIN", "source_timestamp": ago(seconds=1)}, 422, "preserve_under_name"),
        (
            {"source_branch_id": "MAIN", "source_timestamp": ago(seconds=1), "source_lsn": "0/1"},
            400,
            "only one of",
        ),
        (
            {"source_branch_id": "MAIN", "source_timestamp": ago(seconds=1), "preserve_under_name": "main"},
            409,
            "already exists",
        ),
        (
            {"source_branch_id": "MAIN", "source_timestamp": ahead(days=1), "preserve_under_name": "old"},
            400,
            "future",
        ),
        (
            {"source_branch_id": "MAIN", "source_timestamp": ago(days=2), "preserve_under_name": "old"},
            400,
            "history window",
        ),
        ({"source_branch_id": "MAIN", "source_lsn": "FF/0", "preserve_under_name": "old"}, 400, "beyond the head"),
    ],
)
def test_refusals_change_nothing(api: Api, main: str, body: dict[str, str], status: int, words: str) -> None:
    before = api.get("/branches")
    answer = api.restore(main, **{name: main if value == "MAIN" else value for name, value in body.items()})
    assert answer.status_code == status
    assert words in answer.json()["message"]
    assert api.get("/branches") == before
    assert api.get("/operations")["operations"] == []


def test_points_in_time_are_for_roots_only(api: Api, main: str) -> None:
    child = api.make_branch("child")["branch"]["id"]
    point = {"source_timestamp": ago(seconds=0), "preserve_under_name": "old"}
    assert api.restore(child, source_branch_id=child, **point).status_code == 422
    assert api.restore(main, source_branch_id=child, **point).status_code == 422


def test_a_child_can_be_reset_to_the_head_of_its_parent(api: Api, main: str) -> None:
    child = api.make_branch("child")["branch"]["id"]
    other = api.make_branch("other")["branch"]["id"]
    assert api.restore(child, source_branch_id=other).status_code == 422
    api.done(api.restore(child, source_branch_id=main, preserve_under_name="child_old"))
    assert api.branch(child)["parent_id"] == api.named("child_old")["id"]
    assert api.named("child_old")["parent_id"] == main


def test_children_force_a_preserved_branch(api: Api, main: str) -> None:
    point = {"source_branch_id": main, "source_timestamp": ago(seconds=1)}
    api.done(api.restore(main, **point, preserve_under_name="old"))
    old = api.named("old")["id"]
    api.make_branch("child")
    assert api.restore(main, source_branch_id=old).status_code == 422
    api.done(api.restore(main, source_branch_id=old, preserve_under_name="older"))


def test_backup_of_a_restore_from_another_root_can_not_be_deleted(api: Api, main: str) -> None:
    api.done(api.restore(main, source_branch_id=main, source_timestamp=ago(seconds=1), preserve_under_name="first"))
    first = api.named("first")["id"]
    api.done(api.restore(main, source_branch_id=first, preserve_under_name="second"))
    assert api.call("DELETE", f"/branches/{api.named('second')['id']}").status_code == 422
    assert api.call("DELETE", f"/branches/{first}").status_code == 200


@pytest.mark.parametrize(("plan", "cap"), [("free", 3), ("launch", 5)])
def test_root_cap_of_the_plan(api: Api, sandbox: RunningSandbox, main: str, plan: str, cap: int) -> None:
    sandbox.settings(plan=plan)
    point = {"source_branch_id": main, "source_timestamp": ago(seconds=1)}
    for number in range(cap - 1):
        api.done(api.restore(main, **point, preserve_under_name=f"old-{number}"))
    refused = api.restore(main, **point, preserve_under_name="one too many")
    assert (refused.status_code, refused.json()["code"]) == (422, "ROOT_BRANCHES_LIMIT_EXCEEDED")


def test_protected_and_restricted_targets_are_refused(api: Api, sandbox: RunningSandbox, main: str) -> None:
    body = {"source_branch_id": main, "source_timestamp": ago(seconds=1), "preserve_under_name": "old"}
    api.call("PATCH", f"/branches/{main}", {"branch": {"protected": True}}).raise_for_status()
    assert api.restore(main, **body).status_code == 422
    sandbox.settings(refuse_restore_of_protected=False)
    restriction = {"name": "restore", "reason": "restore from snapshot on target branch is still ongoing"}
    control = f"{sandbox.root_url}/_sandbox/branches/{main}"
    api.http.patch(control, json={"restricted_actions": [restriction]}).raise_for_status()
    refused = api.restore(main, **body)
    assert (refused.status_code, refused.json()["message"]) == (422, restriction["reason"])
    api.http.patch(control, json={"restricted_actions": []}).raise_for_status()
    api.done(api.restore(main, **body))


def test_a_project_without_history_can_not_be_restored(api: Api, main: str) -> None:
    api.call("PATCH", "", {"project": {"history_retention_seconds": 0}}).raise_for_status()
    body = {"source_branch_id": main, "source_timestamp": ago(seconds=1), "preserve_under_name": "old"}
    assert api.restore(main, **body).status_code == 400


def test_a_restore_that_fails_is_taken_back(api: Api, sandbox: RunningSandbox, main: str) -> None:
    child = api.make_branch("child")["branch"]["id"]
    sandbox.faults.add("operation_fails", method="POST", action="create_branch", seconds=0.01, final=True)
    body = {"source_branch_id": main, "source_timestamp": ago(seconds=1), "preserve_under_name": "old"}
    operations = api.done(api.restore(main, **body))["operations"]
    ended = [api.get(f"/operations/{operation['id']}")["operation"]["status"] for operation in operations]
    assert ended == ["error", "cancelled"]
    branch = api.branch(main)
    assert branch["current_state"] == "ready"
    assert "last_reset_at" not in branch
    assert api.branch(child)["parent_id"] == main
    assert {item["name"] for item in api.get("/branches")["branches"]} == {"main", "child"}
    assert api.get(f"/branches/{main}/endpoints")["endpoints"][0]["current_state"] == "active"


def _uri(api: Api) -> str:
    uri: str = api.get("/connection_uri", database_name="carecircle", role_name="carecircle_owner")["uri"]
    return uri
