"""Projects, roles, databases, computes, definitions and accounts against the local Neon."""

from __future__ import annotations

import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from neon_sandbox.testing import RunningSandbox
from tests.neon.local import settled


@pytest.fixture
def neon(local: NeonClient) -> NeonClient:
    return local


def test_who_it_is(neon: NeonClient, sandbox: RunningSandbox) -> None:
    (mine,) = neon.account.organizations()
    assert neon.account.me().id
    assert neon.account.organization(mine.id) == mine
    assert [region.default for region in neon.account.regions(org_id=mine.id)].count(True) == 1
    assert [project.id for project in neon.projects.list(org_id=mine.id).projects] == [sandbox.project_id]
    assert neon.projects.list_shared().projects == ()


def test_a_second_project_comes_and_goes(neon: NeonClient, sandbox: RunningSandbox) -> None:
    elsewhere = next(region.id for region in neon.account.regions() if not region.default)
    made = neon.projects.create(
        name="second", region_id=elsewhere, branch_name="trunk", database_name="orders", role_name="keeper"
    )
    state = neon.operations.wait_for(made.project.id, made.operation_ids, deadline_seconds=10)
    assert state.failed == ()
    assert {project.name for project in neon.projects.list().projects} >= {"second"}
    assert (made.project.region_id, made.branch.name) == (elsewhere, "trunk")
    assert [database.name for database in neon.databases.list(made.project.id, made.branch.id)] == ["orders"]
    assert neon.roles.get(made.project.id, made.branch.id, "keeper").name == "keeper"
    assert neon.projects.delete(made.project.id).project.id == made.project.id
    with pytest.raises(errors.NeonNotFound):
        neon.projects.get(made.project.id)


def test_the_history_is_changed_and_the_plan_limits_it(neon: NeonClient, sandbox: RunningSandbox) -> None:
    change = neon.projects.update(sandbox.project_id, history_retention_seconds=7200, name="renamed")
    settled(neon, sandbox, change)
    found = neon.projects.get(sandbox.project_id)
    assert (found.name, found.history_retention_seconds) == ("renamed", 7200)
    sandbox.settings(plan="free")
    with pytest.raises(errors.NeonRefused):
        neon.projects.update(sandbox.project_id, history_retention_seconds=604800)


def test_branches_are_counted(neon: NeonClient, sandbox: RunningSandbox) -> None:
    settled(neon, sandbox, neon.branches.create(sandbox.project_id, name="copy", parent_id=sandbox.branch_id))
    assert neon.branches.count(sandbox.project_id) == 2
    assert neon.branches.count(sandbox.project_id, search="cop") == 1


def test_the_life_of_a_role(neon: NeonClient, sandbox: RunningSandbox) -> None:
    place = (sandbox.project_id, sandbox.branch_id)
    made = neon.roles.create(*place, "reports")
    settled(neon, sandbox, made)
    assert neon.roles.reveal_password(*place, "reports") == made.password
    with pytest.raises(errors.NeonRefused):
        neon.roles.create(*place, "reports")
    reset = neon.roles.reset_password(*place, "reports")
    settled(neon, sandbox, reset)
    assert neon.roles.reveal_password(*place, "reports") == reset.password != made.password
    settled(neon, sandbox, neon.roles.delete(*place, "reports"))
    with pytest.raises(errors.NeonNotFound):
        neon.roles.get(*place, "reports")
    assert neon.roles.delete(*place, "reports").operations == ()


def test_the_life_of_a_database(neon: NeonClient, sandbox: RunningSandbox) -> None:
    place = (sandbox.project_id, sandbox.branch_id)
    (owner,) = neon.roles.list(*place)
    settled(neon, sandbox, neon.databases.create(*place, "reports", owner_name=owner.name))
    assert neon.databases.get(*place, "reports").owner_name == owner.name
    with pytest.raises(errors.NeonRefused):
        neon.databases.create(*place, "reports", owner_name=owner.name)
    settled(neon, sandbox, neon.databases.update(*place, "reports", name="archive"))
    assert [database.name for database in neon.databases.list(*place)] == ["carecircle", "archive"]
    settled(neon, sandbox, neon.databases.delete(*place, "archive"))
    with pytest.raises(errors.NeonNotFound):
        neon.databases.get(*place, "archive")
    assert neon.databases.delete(*place, "archive").operations == ()


def test_a_compute_is_changed_restarted_and_deleted(neon: NeonClient, sandbox: RunningSandbox) -> None:
    project = sandbox.project_id
    (endpoint,) = neon.endpoints.list(project)
    settled(neon, sandbox, neon.endpoints.update(project, endpoint.id, suspend_timeout_seconds=600))
    assert neon.endpoints.get(project, endpoint.id).suspend_timeout_seconds == 600
    settled(neon, sandbox, neon.endpoints.restart(project, endpoint.id))
    assert neon.endpoints.get(project, endpoint.id).current_state == "active"
    settled(neon, sandbox, neon.endpoints.delete(project, endpoint.id))
    assert neon.endpoints.list(project) == ()
    assert neon.endpoints.delete(project, endpoint.id).operations == ()
