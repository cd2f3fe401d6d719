from __future__ import annotations

import pytest

from backups.domain.people import SYSTEM
from backups.models import LedgerEvent, OwnedBranch, Project, ProtectedBranch
from backups.neon.types import Branch
from backups.services.project import refresh_branches, root_branch_cap
from tests import factories

pytestmark = pytest.mark.django_db


def at_neon(branch_id: str, name: str, **fields: object) -> Branch:
    raw: dict[str, object] = {"id": branch_id, "name": name, "default": False, "protected": False}
    return Branch.of(raw | fields)


def refresh(project: Project, *found: Branch) -> None:
    refresh_branches(project_id=project.pk, found=found, actor=SYSTEM)


def only(project: Project) -> ProtectedBranch:
    return ProtectedBranch.objects.get(project=project)


def test_a_new_branch_counts_as_production() -> None:
    project = factories.project()
    refresh(project, at_neon("br-a", "pr-311", parent_id="br-main"))
    branch = only(project)
    assert (branch.label, branch.is_root, branch.environment) == (None, False, "production")
    assert LedgerEvent.objects.get(type="project.branch_protected").target_id == "br-a"


def test_what_neon_does_not_tell_counts_as_guarded() -> None:
    project = factories.project()
    refresh(project, at_neon("br-a", "main", default=None, protected=None))
    ProtectedBranch.objects.update(label="development")
    branch = only(project)
    assert (branch.is_default, branch.is_neon_protected, branch.environment) == (True, True, "production")


def test_a_rename_is_followed_and_recorded_once() -> None:
    project = factories.project()
    for name in ("main", "production", "production"):
        refresh(project, at_neon("br-a", name))
    assert only(project).name == "production"
    assert LedgerEvent.objects.filter(type="project.branch_changed").count() == 1


def test_a_branch_that_is_gone_is_noted_and_may_come_back() -> None:
    project = factories.project()
    refresh(project, at_neon("br-a", "main"))
    refresh(project)
    assert only(project).missing_since is not None
    refresh(project, at_neon("br-a", "main"))
    assert only(project).missing_since is None


def test_branches_that_the_portal_made_are_not_taken_into_care() -> None:
    project = factories.project()
    request = factories.submitted(factories.People().alice, factories.branch(project))
    known = OwnedBranch.objects.create(
        project=project, name="preview_R-1_1", neon_branch_id="br-p", purpose="preview", owner_name="a", request=request
    )
    OwnedBranch.objects.create(
        project=project, name="preview_R-1_2", purpose="preview", owner_name="a", request=request
    )
    refresh(
        project,
        at_neon("br-calm-sea-12345678", "main", default=True),
        at_neon(known.neon_branch_id, "renamed by somebody"),
        at_neon("br-q", "preview_R-1_2"),
    )
    assert only(project).name == "main"


@pytest.mark.parametrize(
    ("plan", "cap"), [("free_v3", 3), ("launch_v3", 5), ("launch", 5), ("scale", 25), ("business", None), (None, None)]
)
def test_the_cap_of_root_branches_follows_from_the_plan(plan: str | None, cap: int | None) -> None:
    assert root_branch_cap(plan) == cap
