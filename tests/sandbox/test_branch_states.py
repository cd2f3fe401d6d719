"""Protection by plan, branches that hold a structure only, and the archived state."""

from __future__ import annotations

import pytest

from neon_sandbox.testing import RunningSandbox
from tests.sandbox.api import Api, ahead
from tests.sandbox.programs import wait_until
from tests.sandbox.real import RealProject, quiet_moment

DAY = 86_400


def protect(api: Api, branch_id: str, *, protected: bool = True) -> int:
    return api.call("PATCH", f"/branches/{branch_id}", {"branch": {"protected": protected}}).status_code


@pytest.mark.parametrize(("plan", "allowed"), [("launch", 2), ("scale", 5)])
def test_protected_branches_are_limited_by_the_plan(
    api: Api, sandbox: RunningSandbox, main: str, plan: str, allowed: int
) -> None:
    sandbox.settings(plan=plan)
    for number in range(allowed):
        api.make_branch(f"protected-{number}", protected=True)
    assert protect(api, main) == 422
    refused = api.call("POST", "/branches", {"branch": {"name": "another", "protected": True}})
    assert (refused.status_code, str(allowed) in refused.json()["message"]) == (422, True)
    first = api.named("protected-0")["id"]
    assert protect(api, first) == 200  # it is already
    assert protect(api, first, protected=False) == 200
    assert protect(api, main) == 200


def test_the_free_plan_has_no_protected_branches_and_the_cap_is_a_setting(
    api: Api, sandbox: RunningSandbox, main: str
) -> None:
    sandbox.settings(plan="free")
    assert protect(api, main) == 403
    sandbox.settings(protected_cap=1)
    assert protect(api, main) == 200


def test_a_branch_that_expires_can_not_be_protected(api: Api) -> None:
    branch = api.make_branch("short", expires_at=ahead(hours=1))["branch"]["id"]
    assert protect(api, branch) == 422
    body = {"branch": {"protected": True, "expires_at": None}}
    assert api.call("PATCH", f"/branches/{branch}", body).status_code == 200


# Structure only


def test_a_structure_only_branch_is_a_root_without_rows(project: RealProject) -> None:
    project.execute("create table visit (id serial primary key, entry_id int references entry (id))")
    project.insert(1, 2)
    project.execute("insert into visit (entry_id) values (1), (2)")
    before, before_lsn = quiet_moment(), project.head_lsn()
    body = {"branch": {"name": "structure", "init_source": "schema-only"}, "endpoints": [{"type": "read_write"}]}
    made = project.api.done(project.api.call("POST", "/branches", body))
    actions = [operation["action"] for operation in made["operations"]]
    assert actions == ["create_branch", "apply_schema_from_branch", "start_compute"]
    branch = made["branch"]["id"]
    shown = project.api.branch(branch)
    assert "parent_id" not in shown
    assert (shown["init_source"], shown["current_state"]) == ("schema-only", "ready")
    assert project.ids(branch) == []
    assert project.ids() == [1, 2]
    project.insert(7, branch_id=branch)
    with project.connect(branch) as connection:
        row = connection.execute("insert into visit (entry_id) values (7) returning id").fetchone()
    assert row == (1,)
    # The rows that it was made without can not be reached through its history.
    for point in ({"source_timestamp": before}, {"source_lsn": before_lsn}):
        refused = project.api.restore(branch, source_branch_id=branch, preserve_under_name="old", **point)
        assert (refused.status_code, "before the branch existed" in refused.json()["message"]) == (400, True)
    moment = quiet_moment()
    project.insert(8, branch_id=branch)
    copy = project.branch("copy", parent_id=branch, parent_timestamp=moment)
    assert project.ids(copy) == [7]


def test_a_structure_only_branch_counts_as_a_root(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.settings(root_cap=1)
    refused = api.call("POST", "/branches", {"branch": {"init_source": "schema-only"}})
    assert (refused.status_code, refused.json()["code"]) == (422, "ROOT_BRANCHES_LIMIT_EXCEEDED")


@pytest.mark.parametrize(
    ("init_source", "status"), [("import", 422), ("rubbish", 400), ("parent-data", 201), ("parent-schema", 201)]
)
def test_what_a_branch_can_begin_with(api: Api, init_source: str, status: int) -> None:
    answer = api.call("POST", "/branches", {"branch": {"name": "copy", "init_source": init_source}})
    assert answer.status_code == status
    assert len(api.get("/branches")["branches"]) == (2 if status == 201 else 1)


def test_a_log_position_from_before_a_child_existed_is_refused(project: RealProject) -> None:
    project.insert(1)
    before = project.head_lsn()
    project.insert(2)
    child = project.branch("child")
    body = {"branch": {"name": "grandchild", "parent_id": child, "parent_lsn": before}}
    refused = project.api.call("POST", "/branches", body)
    assert (refused.status_code, "before the branch existed" in refused.json()["message"]) == (400, True)


# Archived


def idle_main(api: Api, main: str) -> str:
    endpoint: str = api.get(f"/branches/{main}/endpoints")["endpoints"][0]["id"]
    api.done(api.call("POST", f"/endpoints/{endpoint}/suspend"))
    return endpoint


def archived(api: Api) -> set[str]:
    return {branch["name"] for branch in api.get("/branches")["branches"] if branch["current_state"] == "archived"}


def test_unused_branches_of_the_free_plan_are_archived_children_first(
    api: Api, sandbox: RunningSandbox, main: str
) -> None:
    sandbox.settings(plan="free", protected_cap=1)
    idle_main(api, main)
    kept = api.make_branch("kept", protected=True)["branch"]["id"]
    child = api.make_branch("child")["branch"]["id"]
    api.make_branch("grandchild", parent_id=child)
    api.make_branch("in-use", endpoint=True)
    sandbox.move_clock(15 * DAY)
    wait_until(lambda: archived(api) == {"child", "grandchild"}, "unused branches are archived")
    actions = [operation["action"] for operation in api.get("/operations")["operations"]]
    assert actions.count("timeline_archive") == 2
    assert api.branch(kept)["current_state"] == "ready"
    # main stays: it has children that are not archived.
    assert api.branch(main)["current_state"] == "ready"


def test_a_use_brings_a_branch_and_its_ancestors_back(api: Api, sandbox: RunningSandbox, main: str) -> None:
    sandbox.settings(plan="free")
    endpoint = idle_main(api, main)
    child = api.make_branch("child")["branch"]["id"]
    sandbox.move_clock(15 * DAY)
    wait_until(lambda: archived(api) == {"main", "child"}, "both are archived")
    body = {"endpoint": {"branch_id": child, "type": "read_write"}}
    started = api.done(api.call("POST", "/endpoints", body))
    assert [(operation["action"], operation["branch_id"]) for operation in started["operations"]] == [
        ("timeline_unarchive", main),
        ("timeline_unarchive", child),
        ("start_compute", child),
    ]
    assert archived(api) == set()
    assert api.done(api.call("POST", f"/endpoints/{endpoint}/start"))["operations"][0]["action"] == "start_compute"


@pytest.mark.parametrize("use", ["child", "restore", "schema"])
def test_other_uses_bring_it_back_as_well(api: Api, sandbox: RunningSandbox, main: str, use: str) -> None:
    branch = api.make_branch("stored", archived=True)["branch"]["id"]
    assert archived(api) == {"stored"}
    if use == "child":
        api.make_branch("child", parent_id=branch)
    elif use == "restore":
        api.done(api.restore(branch, source_branch_id=main))
    else:
        api.get(f"/branches/{branch}/schema", db_name="carecircle")
    wait_until(lambda: archived(api) == set(), "it came back")


def test_paid_plans_archive_nothing_by_themselves(api: Api, sandbox: RunningSandbox, main: str) -> None:
    api.make_branch("old")
    sandbox.move_clock(15 * DAY)
    sandbox.sandbox.tidy()
    assert archived(api) == set()
    refused = api.call("POST", "/branches", {"branch": {"archived": True}, "endpoints": [{"type": "read_write"}]})
    assert refused.status_code == 422
