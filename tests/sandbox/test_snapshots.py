"""Snapshots: what can be taken, of what, how many, and how long they stay."""

from __future__ import annotations

import re

import pytest

from neon_sandbox.testing import RunningSandbox, running_sandbox, temporary_state_dir
from tests.sandbox.api import Api, ago, ahead
from tests.sandbox.programs import wait_until

SLUG = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def names(api: Api) -> set[str]:
    return {snapshot["name"] for snapshot in api.get("/snapshots")["snapshots"]}


def test_a_snapshot_is_taken_from_the_query_and_a_body_is_ignored(api: Api, main: str):
    asked = {"name": "before the migration", "slug": "before-migration", "expires_at": ahead(days=400)}
    answer = api.call("POST", f"/branches/{main}/snapshot", {"name": "from the body", "lsn": "nonsense"}, **asked)
    first = answer.json()["snapshot"]
    assert not {"full_size", "diff_size"} & set(first)
    assert [operation["action"] for operation in api.done(answer)["operations"]] == ["create_timeline"]

    taken = api.snapshot(first["id"])
    assert (taken["name"], taken["slug"]) == ("before the migration", "before-migration")
    assert (taken["source_branch_id"], taken["manual"]) == (main, True)
    assert taken["full_size"] > 0
    assert {"id", "lsn", "timestamp", "created_at", "expires_at"} <= set(taken)
    assert "diff_size" not in taken


def test_name_and_slug_are_made_up_when_none_is_given(api: Api, main: str):
    first, second = api.take_snapshot(main), api.take_snapshot(main)
    assert first["name"] != second["name"]
    assert re.match(r"main at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(manual\)", first["name"])
    assert SLUG.fullmatch(first["slug"])
    assert first["slug"] != second["slug"]
    assert "expires_at" not in first


def test_a_moment_or_an_lsn_of_the_history(api: Api, main: str):
    assert api.take_snapshot(main, timestamp=ago(hours=1))["lsn"]
    assert api.take_snapshot(main, lsn="0/1000001")["lsn"] == "0/1000001"


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"timestamp": ago(seconds=1), "lsn": "0/1"}, 400, "only one of"),
        ({"timestamp": ago(days=2)}, 400, "history window"),
        ({"timestamp": ahead(days=1)}, 400, "future"),
        ({"timestamp": "yesterday"}, 400, "RFC 3339"),
        ({"lsn": "FFFF/0"}, 400, "beyond the head"),
        ({"expires_at": ago(seconds=1)}, 400, "future"),
        ({"name": "taken"}, 409, "name already exists"),
        ({"slug": "taken"}, 409, "slug already exists"),
        ({"slug": "Upper"}, 400, "slug must match"),
        ({"slug": "1st"}, 400, "slug must match"),
        ({"slug": "ends-"}, 400, "slug must match"),
        ({"slug": "a" * 64}, 400, "slug must match"),
        ({"name": "n" * 257}, 400, "256"),
    ],
)
def test_refusals_take_nothing(api: Api, main: str, query: dict[str, str], status: int, words: str):
    api.take_snapshot(main, name="taken", slug="taken")
    before = api.get("/operations")["operations"]
    answer = api.call("POST", f"/branches/{main}/snapshot", **query)
    assert answer.status_code == status
    assert words in answer.json()["message"]
    assert names(api) == {"taken"}
    assert api.get("/operations")["operations"] == before


def test_root_branches_only(api: Api):
    child = api.make_branch("child")["branch"]["id"]
    answer = api.call("POST", f"/branches/{child}/snapshot")
    assert (answer.status_code, "root branches only" in answer.json()["message"]) == (422, True)


def test_a_project_without_history_still_takes_its_head(api: Api, main: str):
    api.done(api.call("PATCH", "", {"project": {"history_retention_seconds": 0}}))
    assert api.call("POST", f"/branches/{main}/snapshot", timestamp=ago(seconds=1)).status_code == 400
    api.take_snapshot(main)


@pytest.mark.parametrize(("settings", "cap"), [({"plan": "free"}, 1), ({"snapshot_cap": 3}, 3)])
def test_the_plan_limits_their_number(api: Api, sandbox: RunningSandbox, main: str, settings: dict, cap: int):
    sandbox.settings(**settings)
    taken = [api.take_snapshot(main)["id"] for _ in range(cap)]
    refused = api.call("POST", f"/branches/{main}/snapshot")
    assert (refused.status_code, refused.json()["code"]) == (422, "SNAPSHOTS_LIMIT_EXCEEDED")
    api.done(api.call("DELETE", f"/snapshots/{taken[0]}"))
    api.take_snapshot(main)


def test_paid_plans_hold_a_hundred(sandbox: RunningSandbox):
    for plan in ("launch", "scale"):
        sandbox.settings(plan=plan)
        assert sandbox.sandbox.plane.snapshot_cap() == 100


def test_name_and_expiry_change_and_the_slug_does_not(api: Api, main: str):
    snapshot = api.take_snapshot(main, name="first", slug="first", expires_at=ahead(days=1))
    api.take_snapshot(main, name="second")
    path = f"/snapshots/{snapshot['id']}"
    later = ahead(days=900)
    changed = api.call("PATCH", path, {"snapshot": {"name": "renamed", "expires_at": later, "slug": "other"}})
    assert changed.json()["snapshot"].items() >= {"name": "renamed", "slug": "first"}.items()
    assert changed.json()["snapshot"]["expires_at"][:10] == later[:10]
    assert "operations" not in changed.json()
    assert "expires_at" in api.call("PATCH", path, {"snapshot": {"name": "renamed"}}).json()["snapshot"]
    assert "expires_at" not in api.call("PATCH", path, {"snapshot": {"expires_at": None}}).json()["snapshot"]
    assert api.call("PATCH", path, {"snapshot": {"name": "second"}}).status_code == 409
    assert api.call("PATCH", path, {"snapshot": {"expires_at": ago(days=1)}}).status_code == 400
    assert api.call("PATCH", path, {}).status_code == 400
    assert api.snapshot(snapshot["id"])["name"] == "renamed"


def test_deleted_for_good(api: Api, main: str):
    snapshot = api.take_snapshot(main)["id"]
    answer = api.call("DELETE", f"/snapshots/{snapshot}")
    assert answer.status_code == 202
    assert [operation["action"] for operation in api.done(answer)["operations"]] == ["delete_timeline"]
    assert api.get("/snapshots")["snapshots"] == []
    for method, path in (("DELETE", ""), ("PATCH", ""), ("POST", "/restore")):
        assert api.call(method, f"/snapshots/{snapshot}{path}", {"snapshot": {"name": "x"}}).status_code == 404


def test_it_outlives_the_branch_that_it_was_taken_of(api: Api, main: str):
    api.done(api.restore(main, source_branch_id=main, source_timestamp=ago(seconds=1), preserve_under_name="old"))
    old = api.named("old")["id"]
    snapshot = api.take_snapshot(old)["id"]
    api.done(api.call("DELETE", f"/branches/{old}"))
    assert api.snapshot(snapshot)["source_branch_id"] == old
    refused = api.restore_snapshot(snapshot, name="again")
    assert (refused.status_code, "target_branch_id is required" in refused.json()["message"]) == (422, True)
    api.done(api.restore_snapshot(snapshot, name="again", target_branch_id=main))


def test_an_expired_one_goes_by_itself(api: Api, sandbox: RunningSandbox, main: str):
    api.take_snapshot(main, name="kept")
    api.take_snapshot(main, name="short", expires_at=ahead(hours=1))
    sandbox.move_clock(3601)
    wait_until(lambda: names(api) == {"kept"}, "the expired snapshot is gone")


def test_one_that_fails_leaves_nothing(api: Api, sandbox: RunningSandbox, main: str):
    sandbox.faults.add("operation_fails", method="POST", seconds=0.01, final=True)
    operation = api.done(api.call("POST", f"/branches/{main}/snapshot", name="never"))["operations"][0]
    assert api.wait_for(operation["id"])["status"] == "error"
    assert names(api) == set()
    api.take_snapshot(main, name="never")


def test_while_operations_run_every_change_answers_423(api: Api, sandbox: RunningSandbox, main: str):
    snapshot = api.take_snapshot(main, name="kept")["id"]
    preview = api.done(api.restore_snapshot(snapshot, name="preview"))["branch"]["id"]
    sandbox.lock_project(60)
    for method, path, body in (
        ("POST", f"/branches/{main}/snapshot", None),
        ("PATCH", f"/snapshots/{snapshot}", {"snapshot": {"name": "x"}}),
        ("DELETE", f"/snapshots/{snapshot}", None),
        ("POST", f"/snapshots/{snapshot}/restore", {"name": "another"}),
        ("POST", f"/branches/{preview}/finalize_restore", None),
    ):
        assert (path, api.call(method, path, body).status_code) == (path, 423)
    assert names(api) == {"kept"}


def test_they_survive_a_restart():
    with temporary_state_dir() as directory:
        with running_sandbox(state_dir=directory / "state") as sandbox:
            taken = sandbox.take_snapshot(name="kept")
        with running_sandbox(state_dir=directory / "state") as sandbox, (api := Api(sandbox)).http:
            assert api.snapshot(taken.id)["name"] == "kept"
            api.done(api.restore_snapshot(taken.id, name="again"))
            assert len(api.get(f"/branches/{api.named('again')['id']}/roles")["roles"]) == 1
