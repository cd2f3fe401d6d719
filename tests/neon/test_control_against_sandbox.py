"""Projects and what is in them, against the local Neon."""

from __future__ import annotations

import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from neon_sandbox.testing import RunningSandbox
from tests.neon.local import settled


@pytest.fixture
def neon(local: NeonClient) -> NeonClient:
    return local


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
