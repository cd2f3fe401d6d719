"""What each reading method asks of Neon and makes of the answer."""

from __future__ import annotations

from typing import Any

import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from tests.neon.answers import COPY, ENDPOINT, branch, params
from tests.neon.conftest import MAIN, PROJECT, Fake


def test_auth(fake: Fake, neon: NeonClient) -> None:
    fake.says({"account_id": "acc", "auth_method": "api_key_org"})
    assert neon.auth().auth_method == "api_key_org"
    assert fake.asked == ["GET /auth"]


def test_a_project(fake: Fake, neon: NeonClient) -> None:
    fake.says({"project": {"id": PROJECT, "history_retention_seconds": 604800}})
    assert neon.projects.get(PROJECT).history_retention_seconds == 604800
    assert fake.asked == [f"GET /projects/{PROJECT}"]


def test_projects_over_pages_with_those_that_could_not_be_read(fake: Fake, neon: NeonClient) -> None:
    fake.says({"projects": [{"id": "a"}], "pagination": {"cursor": "a"}, "unavailable_project_ids": ["z"]})
    fake.says({"projects": [{"id": "b"}], "pagination": {"cursor": "b"}})
    fake.says({"projects": [], "unavailable_project_ids": ["y"]})
    found = neon.projects.list(org_id="org-x")
    assert [p.id for p in found.projects] == ["a", "b"]
    assert found.unavailable_ids == ("z", "y")
    assert [params(fake, turn).get("cursor") for turn in range(3)] == [None, "a", "b"]
    assert {params(fake, turn)["org_id"] for turn in range(3)} == {"org-x"}


def test_branches_over_pages_end_at_the_empty_one(fake: Fake, neon: NeonClient) -> None:
    annotations = {COPY: {"value": {"carecircle": "request-7"}}}
    fake.says({"branches": [branch()], "annotations": {}, "pagination": {"next": "one"}})
    fake.says({"branches": [branch(COPY, "copy")], "annotations": annotations, "pagination": {"next": "two"}})
    fake.says({"branches": [], "annotations": {}, "pagination": {"next": "three"}})
    main, copy = neon.branches.list(PROJECT)
    assert (main.id, main.annotation) == (MAIN, None)
    assert copy.annotation == {"carecircle": "request-7"}
    assert params(fake) == {"sort_by": "created_at", "sort_order": "asc", "limit": "400", "cursor": "two"}


def test_a_list_without_cursor_ends_there(fake: Fake, neon: NeonClient) -> None:
    fake.says({"branches": [branch()]})
    assert len(neon.branches.list(PROJECT)) == 1


def test_a_branch_that_shifts_between_pages_is_there_once_as_last_seen(fake: Fake, neon: NeonClient) -> None:
    fake.says({"branches": [branch()], "pagination": {"next": "one"}})
    fake.says({"branches": [branch(name="renamed")], "pagination": {}})
    assert [b.name for b in neon.branches.list(PROJECT)] == ["renamed"]


@pytest.mark.parametrize("pages", [["one", "one"], ["one", "two", "one"]])
def test_paging_in_a_circle_is_an_error_not_a_short_list(fake: Fake, neon: NeonClient, pages: list[str]) -> None:
    for cursor in pages:
        fake.says({"branches": [branch()], "pagination": {"next": cursor}})
    with pytest.raises(errors.AnswerUnusable, match="paging"):
        neon.branches.find_by_name(PROJECT, "before")


@pytest.mark.parametrize(
    "broken", [{}, {"branches": None}, {"branches": [branch(), None]}, {"branches": [{"id": "x"}]}]
)
def test_a_list_that_cannot_be_read_is_not_an_empty_list(fake: Fake, neon: NeonClient, broken: Any) -> None:
    fake.says(broken)
    with pytest.raises(errors.AnswerUnusable):
        neon.branches.find_by_name(PROJECT, "before")


def test_a_name_is_found_only_as_a_whole(fake: Fake, neon: NeonClient) -> None:
    listed = {"branches": [branch(name="before-2"), branch(COPY, "before")]}
    fake.says(listed)
    fake.says(listed)
    found = neon.branches.find_by_name(PROJECT, "before")
    assert found is not None
    assert found.id == COPY
    assert neon.branches.find_by_name(PROJECT, "befor") is None


def test_one_branch_with_its_annotation(fake: Fake, neon: NeonClient) -> None:
    fake.says({"branch": branch(), "annotation": {"value": {"carecircle": "drill-1", "odd": 5}}})
    assert neon.branches.get(PROJECT, MAIN).annotation == {"carecircle": "drill-1"}


def test_endpoints(fake: Fake, neon: NeonClient) -> None:
    one = {"id": ENDPOINT, "branch_id": MAIN, "type": "read_write", "host": "h"}
    fake.says({"endpoints": [one]})
    fake.says({"endpoints": [one]})
    fake.says({"endpoint": one})
    assert neon.endpoints.list(PROJECT)[0].is_read_write
    assert neon.endpoints.list_for_branch(PROJECT, MAIN)[0].id == ENDPOINT
    assert neon.endpoints.get(PROJECT, ENDPOINT).branch_id == MAIN
    assert fake.asked == [
        f"GET /projects/{PROJECT}/endpoints",
        f"GET /projects/{PROJECT}/branches/{MAIN}/endpoints",
        f"GET /projects/{PROJECT}/endpoints/{ENDPOINT}",
    ]


def test_databases_roles_and_secrets(fake: Fake, neon: NeonClient) -> None:
    fake.says({"databases": [{"id": 1, "name": "carecircle", "owner_name": "app"}]})
    fake.says({"roles": [{"name": "app", "password": "canary"}]})
    fake.says({"password": "canary"})
    fake.says({"uri": "postgresql://app:canary@host/carecircle"})
    assert neon.databases.list(PROJECT, MAIN)[0].name == "carecircle"
    assert "canary" not in repr(neon.roles.list(PROJECT, MAIN))
    password = neon.roles.reveal_password(PROJECT, MAIN, "app/../x y")
    uri = neon.connection_uri(PROJECT, branch_id=MAIN, database_name="carecircle", role_name="app")
    assert (password.reveal(), uri.reveal()) == ("canary", "postgresql://app:canary@host/carecircle")
    assert fake.requests[2].url.raw_path.endswith(b"/roles/app%2F..%2Fx%20y/reveal_password")
    assert params(fake) == {
        "branch_id": MAIN,
        "database_name": "carecircle",
        "role_name": "app",
        "pooled": "false",
    }


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_role_that_would_leave_the_path(neon: NeonClient, name: str) -> None:
    with pytest.raises(ValueError, match="role"):
        neon.roles.reveal_password(PROJECT, MAIN, name)


def test_an_id_that_would_leave_the_path(neon: NeonClient) -> None:
    with pytest.raises(ValueError, match="Neon id"):
        neon.branches.delete(PROJECT, "../../projects/other")
