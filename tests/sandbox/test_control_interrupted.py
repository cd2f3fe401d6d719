"""A sandbox that ends abruptly in the middle of other work does that work, whole and once, when it is back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from neon_sandbox.entities import Job, Project
from neon_sandbox.testing import running_sandbox, temporary_state_dir
from tests.sandbox.api import Api
from tests.sandbox.programs import Program, processes_about, wait_until
from tests.sandbox.test_snapshots_interrupted import (
    STEP_SECONDS,
    answers,
    copy_memory,
    execute,
    ids,
    reopened,
)

ROLE = "carecircle_owner"
Call = Callable[[Api, str], httpx.Response]


def restart(api: Api, main: str) -> httpx.Response:
    endpoint = api.get("/endpoints")["endpoints"][0]["id"]
    return api.call("POST", f"/endpoints/{endpoint}/restart")


def delete_compute(api: Api, main: str) -> httpx.Response:
    endpoint = api.get("/endpoints")["endpoints"][0]["id"]
    return api.call("DELETE", f"/endpoints/{endpoint}")


def structure_only(api: Api, main: str) -> httpx.Response:
    body = {"branch": {"name": "structure", "init_source": "schema-only"}, "endpoints": [{"type": "read_write"}]}
    return api.call("POST", "/branches", body)


def create_archived(api: Api, main: str) -> httpx.Response:
    return api.call("POST", "/branches", {"branch": {"name": "stored", "archived": True}})


def use_archived(api: Api, main: str) -> httpx.Response:
    return api.call("POST", "/endpoints", {"endpoint": {"branch_id": api.named("archive")["id"], "type": "read_write"}})


def reset_password(api: Api, main: str) -> httpx.Response:
    return api.call("POST", f"/branches/{main}/roles/{ROLE}/reset_password")


def delete_role(api: Api, main: str) -> httpx.Response:
    return api.call("DELETE", f"/branches/{main}/roles/reader")


def rename_database(api: Api, main: str) -> httpx.Response:
    return api.call("PATCH", f"/branches/{main}/databases/carecircle", {"database": {"name": "renamed"}})


def delete_database(api: Api, main: str) -> httpx.Response:
    return api.call("DELETE", f"/branches/{main}/databases/carecircle")


def change_window(api: Api, main: str) -> httpx.Response:
    return api.call("PATCH", "", {"project": {"history_retention_seconds": 7200}})


CASES: list[tuple[Call, list[str]]] = [
    (restart, ["suspend_compute", "start_compute"]),
    (delete_compute, ["suspend_compute"]),
    (structure_only, ["create_branch", "apply_schema_from_branch", "start_compute"]),
    (create_archived, ["create_branch", "timeline_archive"]),
    (use_archived, ["timeline_unarchive", "start_compute"]),
    (reset_password, ["apply_config"]),
    (delete_role, ["apply_config"]),
    (rename_database, ["apply_config"]),
    (delete_database, ["apply_config"]),
    (change_window, ["apply_storage_config"]),
]
INSTANTS = [(call, actions, step) for call, actions in CASES for step in range(len(actions))]


@pytest.mark.parametrize(
    ("call", "actions", "step"), INSTANTS, ids=[f"{call.__name__}-{step}" for call, _, step in INSTANTS]
)
def test_each_step_can_be_the_last(call: Call, actions: list[str], step: int) -> None:
    """The reopened one ends as the one that was left alone does."""
    with temporary_state_dir() as directory:
        with running_sandbox(state_dir=directory / "state") as sandbox, (api := Api(sandbox)).http:
            main = sandbox.branch_id
            api.make_branch("archive", archived=True)
            api.done(api.call("POST", f"/branches/{main}/roles", {"role": {"name": "reader"}}))
            sandbox.settings(operation_seconds=STEP_SECONDS)
            operations = call(api, main).json()["operations"]
            assert [operation["action"] for operation in operations] == actions
            api.wait_for(operations[step]["id"], "running", "finished")
            copy_memory(directory / "state", directory / "copy")
            for operation in operations:
                api.wait_for(operation["id"])
            undisturbed = picture(api)
        with reopened(directory / "copy") as api:
            for operation in operations:
                assert api.wait_for(operation["id"])["status"] == "finished"
            assert picture(api) == undisturbed
            assert api.sandbox.sandbox.plane.store.find(Job) == []


def picture(api: Api) -> Any:
    """What the project looks like, without the times."""
    branches = {branch["id"]: branch for branch in api.get("/branches")["branches"]}
    return {
        "branches": {
            branch["name"]: (branch["current_state"], branch.get("pending_state"), branch.get("parent_id"))
            for branch in branches.values()
        },
        "computes": [
            (branches[item["branch_id"]]["name"], item["host"], item["current_state"], item.get("pending_state"))
            for item in api.get("/endpoints")["endpoints"]
        ],
        "roles": {
            name: [
                (role["name"], api.get(f"/branches/{branch}/roles/{role['name']}/reveal_password")["password"])
                for role in api.get(f"/branches/{branch}/roles")["roles"]
            ]
            for branch, name in ((branch["id"], branch["name"]) for branch in branches.values())
        },
        "databases": {
            branch["name"]: [item["name"] for item in api.get(f"/branches/{branch['id']}/databases")["databases"]]
            for branch in branches.values()
        },
        "window": api.get()["project"]["history_retention_seconds"],
    }


@pytest.mark.parametrize("step", [0, 1])
def test_a_project_is_made_in_two_lives(step: int) -> None:
    with temporary_state_dir() as directory:
        with running_sandbox(state_dir=directory / "state") as sandbox, (api := Api(sandbox)).http:
            sandbox.settings(operation_seconds=STEP_SECONDS)
            made = api.http.post("/projects", json={"project": {"name": "second"}}).json()
            api.project_id = made["project"]["id"]
            api.wait_for(made["operations"][step]["id"], "running", "finished")
            copy_memory(directory / "state", directory / "copy")
        with reopened(directory / "copy") as api:
            api.project_id = made["project"]["id"]
            for operation in made["operations"]:
                assert api.wait_for(operation["id"])["status"] == "finished"
            assert api.branch(made["branch"]["id"])["current_state"] == "ready"


def test_a_project_is_deleted_in_two_lives() -> None:
    with temporary_state_dir() as directory:
        with running_sandbox(state_dir=directory / "state") as sandbox, (api := Api(sandbox)).http:
            second = sandbox.sandbox.create_project(name="second", databases=["other"])
            sandbox.settings(operation_seconds=STEP_SECONDS)
            api.http.delete(f"/projects/{second.id}").raise_for_status()
            copy_memory(directory / "state", directory / "copy")
        with reopened(directory / "copy") as api:
            store = api.sandbox.sandbox.plane.store
            wait_until(lambda: store.find(Job) == [], "the rest of the deletion")
            assert [project.id for project in store.find(Project)] == [sandbox.project_id]
            assert api.get("/operations")["operations"] == []


@pytest.mark.acceptance
def test_rows_of_the_parent_are_never_seen_in_a_structure_only_branch_that_was_interrupted() -> None:
    with temporary_state_dir() as directory:
        state: Path = directory / "state"
        program = Program("serve", "--state", str(state), "--operation-seconds", "0.5")
        uri, nodes = program.ready["connection_uri"], state / "nodes"
        execute(uri, "create table entry (id int)", "insert into entry values (1)")
        with program.http() as http:
            body = {"branch": {"name": "copy", "init_source": "schema-only"}, "endpoints": [{"type": "read_write"}]}
            made = http.post("/branches", json=body).raise_for_status().json()
            wait_until(lambda: len(list(nodes.iterdir())) == 2, "its data are being copied")
        program.kill()
        wait_until(lambda: not processes_about(state), "everything has ended")
        again = Program("serve", "--state", str(state), "--operation-seconds", "0")
        try:
            copy = made["connection_uris"][0]["connection_uri"]
            seen: list[list[int]] = []

            def is_made() -> bool:
                seen.append(answers(copy))
                listed = http.get("/operations").json()["operations"]
                return {operation["status"] for operation in listed} == {"finished"}

            with again.http() as http:
                wait_until(is_made, "the branch is made")
            assert ids(copy) == []
            assert [1] not in seen
            assert ids(uri) == [1]
        finally:
            assert again.stop() == 0


@pytest.mark.acceptance
def test_a_project_that_was_being_made_when_the_sandbox_was_killed() -> None:
    with temporary_state_dir() as directory:
        state: Path = directory / "state"
        program = Program("serve", "--state", str(state), "--operation-seconds", "0.5")
        nodes = state / "nodes"
        with program.http() as http:
            answer = http.post(f"{program.ready['url']}/projects", json={"project": {"name": "second"}})
            made = answer.raise_for_status().json()
            wait_until(lambda: len(list(nodes.iterdir())) == 2, "its cluster is being made")
        program.kill()
        wait_until(lambda: not processes_about(state), "everything has ended")
        again = Program("serve", "--state", str(state), "--operation-seconds", "0")
        try:
            path = f"{again.ready['url']}/projects/{made['project']['id']}"
            with again.http() as http:
                wait_until(
                    lambda: all(
                        operation["status"] == "finished"
                        for operation in http.get(f"{path}/operations").json()["operations"]
                    ),
                    "the project is made",
                )
                branch = http.get(f"{path}/branches/{made['branch']['id']}").json()["branch"]
            assert branch["current_state"] == "ready"
            uri = made["connection_uris"][0]["connection_uri"]
            execute(uri, "create table entry (id int)", "insert into entry values (5)")
            assert ids(uri) == [5]
            assert len(list(nodes.iterdir())) == 2
        finally:
            assert again.stop() == 0
