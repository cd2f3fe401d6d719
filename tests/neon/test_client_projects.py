"""Projects, and who may have them: what is sent, and what is made of the answers."""

from __future__ import annotations

from typing import Any

import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from backups.neon.projects import ProjectSettings
from tests.neon.answers import OP, body, branch, params
from tests.neon.conftest import PROJECT, Fake
from tests.neon.samples import ORG, PROJECT_MADE


def test_a_project_is_made_with_what_is_in_it(fake: Fake, neon: NeonClient) -> None:
    fake.says(PROJECT_MADE, status=201)
    made = neon.projects.create(
        name="second",
        region_id="aws-eu-central-1",
        pg_version=18,
        history_retention_seconds=0,
        org_id=ORG,
        branch_name="main",
        database_name="carecircle",
        role_name="app",
    )
    assert body(fake) == {
        "project": {
            "name": "second",
            "region_id": "aws-eu-central-1",
            "pg_version": 18,
            "history_retention_seconds": 0,
            "org_id": ORG,
            "branch": {"name": "main", "database_name": "carecircle", "role_name": "app"},
        }
    }
    assert (made.project.id, made.branch.name, made.operation_ids) == (PROJECT, "main", (OP,))
    assert [database.name for database in made.databases] == ["carecircle"]
    assert "canary" not in repr(made)


def test_what_is_not_named_is_left_to_neon(fake: Fake, neon: NeonClient) -> None:
    fake.says(PROJECT_MADE, status=201)
    neon.projects.create(name="second")
    assert body(fake) == {"project": {"name": "second"}}


@pytest.mark.parametrize("missing", ["project", "branch", "endpoints", "databases", "roles", "operations"])
def test_a_new_project_that_is_told_in_part_is_unknown(fake: Fake, neon: NeonClient, missing: str) -> None:
    fake.says({key: value for key, value in PROJECT_MADE.items() if key != missing}, status=201)
    with pytest.raises(errors.OutcomeUnknown):
        neon.projects.create(name="second")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"history_retention_seconds": 604800}, {"history_retention_seconds": 604800}),
        ({"history_retention_seconds": 0}, {"history_retention_seconds": 0}),
        ({"name": "new"}, {"name": "new"}),
        (
            {"settings": ProjectSettings(allowed_ips=("192.0.2.1",), allowed_ips_on_protected_branches_only=True)},
            {"settings": {"allowed_ips": {"ips": ["192.0.2.1"], "protected_branches_only": True}}},
        ),
        (
            {"settings": ProjectSettings(allowed_ips=(), block_public_connections=False, block_vpc_connections=True)},
            {
                "settings": {
                    "allowed_ips": {"ips": []},
                    "block_public_connections": False,
                    "block_vpc_connections": True,
                }
            },
        ),
    ],
)
def test_update(fake: Fake, neon: NeonClient, given: dict[str, Any], sent: dict[str, Any]) -> None:
    fake.says({"project": {"id": PROJECT, "history_retention_seconds": 604800}, "operations": [{"id": OP}]})
    change = neon.projects.update(PROJECT, **given)
    assert fake.asked == [f"PATCH /projects/{PROJECT}"]
    assert body(fake) == {"project": sent}
    assert (change.project.history_retention_seconds, change.operation_ids) == (604800, (OP,))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "change"),
        ({"settings": ProjectSettings()}, "change"),
        ({"name": ""}, "characters"),
        ({"history_retention_seconds": -1}, "history"),
        ({"history_retention_seconds": 2592001}, "history"),
    ],
)
def test_an_update_that_makes_no_sense_is_not_sent(neon: NeonClient, given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        neon.projects.update(PROJECT, **given)


def test_a_deleted_project_has_no_operations_to_wait_for(fake: Fake, neon: NeonClient) -> None:
    fake.says({"project": {"id": PROJECT}})
    fake.says({"message": "project not found"}, status=404)
    assert neon.projects.delete(PROJECT).operation_ids == ()
    with pytest.raises(errors.NeonNotFound):
        neon.projects.delete(PROJECT)


def test_shared_projects_are_read_to_the_end(fake: Fake, neon: NeonClient) -> None:
    fake.says({"projects": [{"id": "a"}], "pagination": {"cursor": "a"}})
    fake.says({"projects": [], "unavailable_project_ids": ["z"]})
    found = neon.projects.list_shared()
    assert ([project.id for project in found.projects], found.unavailable_ids) == (["a"], ("z",))
    assert fake.asked == ["GET /projects/shared"] * 2


def test_who_it_is_and_where_projects_can_be_made(fake: Fake, neon: NeonClient) -> None:
    fake.says({"id": "u", "email": "ops@example.org", "plan": "scale", "branches_limit": 25})
    fake.says({"organizations": [{"id": ORG, "name": "CareCircle", "plan": "scale"}]})
    fake.says({"id": ORG, "name": "CareCircle", "require_mfa": True})
    regions = {"regions": [{"region_id": "aws-us-east-2", "name": "Ohio", "default": True}]}
    fake.says(regions)
    fake.says(regions)
    assert neon.account.me().branches_limit == 25
    assert [each.name for each in neon.account.organizations()] == ["CareCircle"]
    assert neon.account.organization(ORG).require_mfa
    assert neon.account.regions()[0].default
    assert params(fake) == {}
    assert neon.account.regions(org_id=ORG)[0].id == "aws-us-east-2"
    assert params(fake) == {"org_id": ORG}


def test_branches_are_counted(fake: Fake, neon: NeonClient) -> None:
    fake.says({"count": 3})
    fake.says({"count": 0})
    assert neon.branches.count(PROJECT) == 3
    assert params(fake) == {}
    assert neon.branches.count(PROJECT, search="drill & more") == 0
    assert params(fake) == {"search": "drill & more"}
    for broken in ({}, {"count": None}, {"count": "3"}, {"branches": [branch()]}):
        fake.says(broken)
        with pytest.raises(errors.AnswerUnusable):
            neon.branches.count(PROJECT)
