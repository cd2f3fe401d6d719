"""A snapshot becomes a branch: first beside its target, or at once in its place."""

from __future__ import annotations

from typing import Any

import pytest

from neon_sandbox import snapshot_keeper
from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api, ago, ahead
from tests.sandbox.programs import wait_until

DAY = 86_400.0
STILL_ONGOING = "restore from snapshot on target branch is still ongoing"


def endpoints(api: Api, branch_id: str) -> list[Any]:
    found: list[Any] = api.get(f"/branches/{branch_id}/endpoints")["endpoints"]
    return found


def uri(api: Api, branch_id: str) -> str:
    query = {"database_name": "carecircle", "role_name": "carecircle_owner", "branch_id": branch_id}
    found: str = api.get("/connection_uri", **query)["uri"]
    return found


def actions(answer: Any) -> list[str]:
    return [operation["action"] for operation in answer["operations"]]


def test_a_preview_is_a_root_beside_its_target(api: Api, main: str):
    before = api.branch(main)
    snapshot = api.take_snapshot(main)["id"]
    answer = api.restore_snapshot(snapshot, name="preview", target_branch_id=main)
    assert answer.status_code == 200
    assert answer.json()["branch"]["current_state"] == "init"
    made = api.done(answer)
    assert actions(made) == ["create_branch", "start_compute"]
    preview = api.branch(made["branch"]["id"])
    assert (
        preview.items()
        >= {
            "name": "preview",
            "current_state": "ready",
            "restore_status": "restored",
            "restored_from": snapshot,
            "restored_as": main,
            "default": False,
        }.items()
    )
    assert "parent_id" not in preview
    assert preview["restricted_actions"] == [{"name": "restore", "reason": STILL_ONGOING}]
    assert [endpoint["id"] for endpoint in endpoints(api, preview["id"])] == [made["endpoints"][0]["id"]]
    assert uri(api, preview["id"]) != uri(api, main)
    assert api.branch(main) == before


def test_defaults_of_a_restore(api: Api, main: str):
    snapshot = api.take_snapshot(main, name="nightly")["id"]
    first = api.done(api.call("POST", f"/snapshots/{snapshot}/restore"))["branch"]
    second = api.done(api.call("POST", f"/snapshots/{snapshot}/restore"))["branch"]
    assert first["name"] == "main restored from nightly"
    assert second["name"] != first["name"]
    assert first["restored_as"] == main
    assert first["restore_status"] == "restored"
    # The deprecated place of the name; the body wins.
    path = f"/snapshots/{snapshot}/restore"
    assert api.done(api.call("POST", path, name="by query"))["branch"]["name"] == "by query"
    assert api.done(api.call("POST", path, {"name": "by body"}, name="other"))["branch"]["name"] == "by body"


@pytest.mark.parametrize("way", ["one step", "preview first"])
def test_the_new_branch_takes_over_what_the_target_was(api: Api, main: str, way: str):
    child = api.make_branch("child")["branch"]["id"]
    api.done(api.call("PATCH", f"/branches/{main}", {"branch": {"protected": True}}))
    snapshot = api.take_snapshot(main)["id"]
    endpoint, connection = endpoints(api, main)[0], uri(api, main)
    new = restored(api, snapshot, main, way)

    branch, old = api.branch(new), api.branch(main)
    assert new != main
    assert (
        branch.items()
        >= {
            "name": "main",
            "default": True,
            "protected": True,
            "restore_status": "finalized",
            "restored_from": snapshot,
            "restored_as": main,
            "current_state": "ready",
        }.items()
    )
    assert old.items() >= {"name": "main (old)", "default": False, "protected": False, "current_state": "ready"}.items()
    assert api.branch(child)["parent_id"] == main
    moved = endpoints(api, new)
    assert len(moved) == 1
    for field in ("id", "host", "current_state"):
        assert moved[0][field] == endpoint[field]
    assert endpoints(api, main) == []
    assert uri(api, new) == connection
    assert api.snapshot(snapshot)["source_branch_id"] == main


def test_the_replaced_branch_can_be_deleted_and_used(api: Api, main: str):
    snapshot = api.take_snapshot(main)["id"]
    restored(api, snapshot, main, "one step")
    added = api.call("POST", "/endpoints", {"endpoint": {"branch_id": main, "type": "read_write"}})
    api.done(added)
    api.done(api.call("DELETE", f"/branches/{main}"))
    assert {branch["name"] for branch in api.get("/branches")["branches"]} == {"main"}
    # The new root of the project is as safe as the first one was.
    assert api.call("DELETE", f"/branches/{api.named('main')['id']}").status_code == 422


def test_operations_of_the_two_ways(api: Api, main: str):
    snapshot = api.take_snapshot(main)["id"]
    one = api.done(api.restore_snapshot(snapshot, target_branch_id=main, finalize_restore=True))
    assert actions(one) == ["create_branch", "start_compute"]
    new = one["branch"]["id"]
    preview = api.done(api.restore_snapshot(snapshot, name="preview", target_branch_id=new))["branch"]["id"]
    two = api.done(api.call("POST", f"/branches/{preview}/finalize_restore"))
    assert set(two) == {"operations"}
    assert actions(two) == ["suspend_compute", "start_compute"]


def test_a_suspended_compute_moves_and_stays_suspended(api: Api, main: str):
    snapshot = api.take_snapshot(main)["id"]
    endpoint = endpoints(api, main)[0]["id"]
    api.done(api.call("POST", f"/endpoints/{endpoint}/suspend"))
    one = api.done(api.restore_snapshot(snapshot, target_branch_id=main, finalize_restore=True))
    assert actions(one) == ["create_branch", "apply_config"]
    assert endpoints(api, one["branch"]["id"])[0]["current_state"] == "idle"


def test_a_target_without_compute_has_none_to_give(api: Api, main: str):
    snapshot = api.take_snapshot(main)["id"]
    bare = api.make_branch("bare")["branch"]["id"]
    one = api.done(api.restore_snapshot(snapshot, target_branch_id=bare, finalize_restore=True))
    assert actions(one) == ["create_branch"]
    assert (api.named("bare")["id"], endpoints(api, one["branch"]["id"])) == (one["branch"]["id"], [])
    preview = api.done(api.restore_snapshot(snapshot, name="p", target_branch_id=bare))["branch"]["id"]
    api.done(api.call("POST", f"/branches/{preview}/finalize_restore", {"name": "bare before"}))
    assert len(endpoints(api, preview)) == 1


def test_the_replaced_branch_gets_the_wanted_or_a_free_name(api: Api, main: str):
    snapshot = api.take_snapshot(main)["id"]
    api.make_branch("main (old)")
    first = restored(api, snapshot, main, "one step")
    assert api.branch(main)["name"] == "main (old) 2"
    preview = api.done(api.restore_snapshot(snapshot, name="preview", target_branch_id=first))["branch"]["id"]
    taken = api.call("POST", f"/branches/{preview}/finalize_restore", {"name": "main (old)"})
    assert taken.status_code == 409
    api.done(api.call("POST", f"/branches/{preview}/finalize_restore", {"name": "before the second"}))
    assert api.branch(first)["name"] == "before the second"


def test_refused_restores(api: Api, sandbox: RunningSandbox, main: str):
    snapshot = api.take_snapshot(main)["id"]
    assert api.restore_snapshot(snapshot, target_branch_id="br-no-such-12345678").status_code == 404
    assert api.restore_snapshot(snapshot, name="main").status_code == 409
    assert api.restore_snapshot(snapshot, finalize_restore="yes").status_code == 400
    assert api.restore_snapshot("snap-no-such-12345678").status_code == 404
    for setting, code in (("root_cap", "ROOT_BRANCHES_LIMIT_EXCEEDED"), ("branch_cap", "BRANCHES_LIMIT_EXCEEDED")):
        sandbox.settings(**{setting: 1})
        refused = api.restore_snapshot(snapshot, name="one too many")
        assert (refused.status_code, refused.json()["code"]) == (422, code)
        sandbox.settings(**{setting: 9})
    assert [branch["id"] for branch in api.get("/branches")["branches"]] == [main]


def test_a_preview_keeps_what_it_was_given_in_the_meantime(api: Api, main: str):
    expiring = api.make_branch("expiring", expires_at=ahead(hours=1))["branch"]["id"]
    preview = api.done(api.restore_snapshot(api.take_snapshot(main)["id"], name="p", target_branch_id=expiring))
    preview_id = preview["branch"]["id"]
    api.done(api.call("POST", f"/branches/{preview_id}/set_as_default"))
    api.done(api.call("POST", f"/branches/{preview_id}/finalize_restore"))
    branch = api.branch(preview_id)
    assert (branch["name"], branch["default"]) == ("expiring", True)
    assert "expires_at" not in branch
    assert [item["default"] for item in api.get("/branches")["branches"]].count(True) == 1


def test_an_expiry_moves_to_the_new_branch(api: Api, main: str):
    expiring = api.make_branch("expiring", expires_at=ahead(hours=1))["branch"]
    new = restored(api, api.take_snapshot(main)["id"], expiring["id"], "one step")
    assert api.branch(new)["expires_at"] == expiring["expires_at"]
    assert "expires_at" not in api.branch(expiring["id"])


def test_only_a_waiting_preview_can_be_finalized(api: Api, main: str):
    assert api.call("POST", f"/branches/{main}/finalize_restore").status_code == 422
    snapshot = api.take_snapshot(main)["id"]
    new = restored(api, snapshot, main, "one step")
    assert api.call("POST", f"/branches/{new}/finalize_restore").status_code == 422
    preview = api.done(api.restore_snapshot(snapshot, name="preview", target_branch_id=main))["branch"]["id"]
    api.done(api.call("DELETE", f"/branches/{main}"))
    refused = api.call("POST", f"/branches/{preview}/finalize_restore")
    assert (refused.status_code, "no longer exists" in refused.json()["message"]) == (422, True)


@pytest.mark.parametrize("way", ["one step", "preview first"])
def test_no_points_in_time_on_a_branch_born_of_a_snapshot(api: Api, main: str, way: str):
    new = restored(api, api.take_snapshot(main)["id"], main, way)
    other = api.named("main (old)")["id"]
    body = {"source_timestamp": ago(seconds=0), "preserve_under_name": "before"}
    for target, source in ((new, new), (new, other), (other, new)):
        refused = api.restore(target, source_branch_id=source, **body)
        assert (refused.status_code, refused.json()["message"]) == (422, STILL_ONGOING)
    api.done(api.restore(other, source_branch_id=other, **body))


def test_children_can_not_be_reset_for_a_day(api: Api, sandbox: RunningSandbox, main: str):
    sandbox.settings(detach_after_seconds=None)
    old_child = api.make_branch("old child")["branch"]["id"]
    new = restored(api, api.take_snapshot(main)["id"], main, "one step")
    new_child = api.make_branch("new child", parent_id=new)["branch"]["id"]
    for child, parent in ((old_child, main), (new_child, new)):
        refused = api.restore(child, source_branch_id=parent)
        assert (refused.status_code, "24 hours" in refused.json()["message"]) == (422, True)
    sandbox.move_clock(DAY)
    for child, parent in ((old_child, main), (new_child, new)):
        api.done(api.restore(child, source_branch_id=parent))


def test_roles_and_databases_of_the_moment_come_back(api: Api, main: str):
    snapshot = api.take_snapshot(main)["id"]
    api.done(api.call("POST", f"/branches/{main}/roles", {"role": {"name": "later"}}))
    api.done(api.call("POST", f"/branches/{main}/databases", {"database": {"name": "later", "owner_name": "later"}}))
    new = restored(api, snapshot, main, "one step")
    assert [role["name"] for role in api.get(f"/branches/{new}/roles")["roles"]] == ["carecircle_owner"]
    assert [item["name"] for item in api.get(f"/branches/{new}/databases")["databases"]] == ["carecircle"]
    assert len(api.get(f"/branches/{main}/roles")["roles"]) == 2


@pytest.mark.parametrize("action", ["create_branch", "start_compute"])
def test_a_one_step_restore_that_fails_is_taken_back(api: Api, sandbox: RunningSandbox, main: str, action: str):
    snapshot = api.take_snapshot(main)["id"]
    before = (api.branch(main), endpoints(api, main)[0]["current_state"], uri(api, main))
    sandbox.faults.add("operation_fails", method="POST", action=action, seconds=0.01, final=True)
    api.done(api.restore_snapshot(snapshot, target_branch_id=main, finalize_restore=True))
    assert (api.branch(main), endpoints(api, main)[0]["current_state"], uri(api, main)) == before
    assert [branch["id"] for branch in api.get("/branches")["branches"]] == [main]


def test_a_finalization_that_fails_can_be_repeated(api: Api, sandbox: RunningSandbox, main: str):
    snapshot = api.take_snapshot(main)["id"]
    preview = api.done(api.restore_snapshot(snapshot, name="preview", target_branch_id=main))["branch"]["id"]
    endpoint = endpoints(api, main)[0]["id"]
    sandbox.faults.add("operation_fails", method="POST", action="start_compute", seconds=0.01, final=True)
    api.done(api.call("POST", f"/branches/{preview}/finalize_restore"))
    assert (api.branch(main)["name"], api.branch(preview)["name"]) == ("main", "preview")
    assert endpoints(api, main)[0].items() >= {"id": endpoint, "current_state": "active"}.items()
    assert len(endpoints(api, preview)) == 1
    api.done(api.call("POST", f"/branches/{preview}/finalize_restore"))
    assert api.branch(preview)["name"] == "main"
    assert [item["id"] for item in endpoints(api, preview)] == [endpoint]


def restored(api: Api, snapshot_id: str, target: str, way: str) -> str:
    """The id of the branch that took the target's place."""
    if way == "one step":
        answer = api.done(api.restore_snapshot(snapshot_id, target_branch_id=target, finalize_restore=True))
        return str(answer["branch"]["id"])
    branch = api.done(api.restore_snapshot(snapshot_id, name="preview", target_branch_id=target))["branch"]["id"]
    api.done(api.call("POST", f"/branches/{branch}/finalize_restore"))
    return str(branch)


def test_a_restored_branch_is_detached_once_in_the_background(api: Api, sandbox: RunningSandbox, main: str):
    sandbox.settings(detach_failure={"error": "a sibling is archived", "seconds": 0.2})
    new = restored(api, api.take_snapshot(main)["id"], main, "one step")
    sandbox.move_clock(3600)
    wait_until(lambda: api.branch(new)["restore_status"] == "detaching", "detaching")
    operation = api.get("/operations")["operations"][0]
    assert (operation["action"], operation["branch_id"]) == ("detach_parent_branch", new)
    assert api.wait_for(operation["id"], "failed")["error"] == "a sibling is archived"
    assert api.call("PATCH", f"/branches/{new}", {"branch": {"name": "x"}}).status_code == 423
    assert api.wait_for(operation["id"])["status"] == "finished"
    wait_until(lambda: api.branch(new)["restore_status"] == "finalized", "back in its own state")
    count = len(api.get("/operations")["operations"])
    sandbox.move_clock(DAY)
    snapshot_keeper.detach_restored(sandbox.sandbox.plane)
    assert len(api.get("/operations")["operations"]) == count


def test_detaching_may_fail_for_good_and_the_branch_goes_on(api: Api, sandbox: RunningSandbox, main: str):
    sandbox.settings(detach_after_seconds=0, detach_failure={"seconds": 0, "final": True})
    preview = api.done(api.restore_snapshot(api.take_snapshot(main)["id"], name="preview"))["branch"]["id"]
    wait_until(lambda: api.get("/operations")["operations"][0]["status"] == "error", "detaching has failed")
    assert api.branch(preview)["restore_status"] == "restored"
    api.done(api.call("POST", f"/branches/{preview}/finalize_restore"))


def test_an_archived_branch_comes_back_to_be_snapshotted_and_to_be_replaced(api: Api, main: str):
    api.done(api.restore(main, source_branch_id=main, source_timestamp=ago(seconds=1), preserve_under_name="old"))
    old = api.named("old")["id"]
    force_archived(api, old)
    answer = api.done(api.call("POST", f"/branches/{old}/snapshot"))
    assert actions(answer) == ["timeline_unarchive", "create_timeline"]
    assert api.branch(old)["current_state"] == "ready"
    force_archived(api, old)
    one = api.done(api.restore_snapshot(answer["snapshot"]["id"], target_branch_id=old, finalize_restore=True))
    assert actions(one) == ["timeline_unarchive", "create_branch"]
    assert {branch["current_state"] for branch in api.get("/branches")["branches"]} == {"ready"}


def force_archived(api: Api, branch_id: str) -> None:
    control = f"{api.sandbox.root_url}/_sandbox/branches/{branch_id}"
    api.http.patch(control, json={"current_state": "archived"}).raise_for_status()
