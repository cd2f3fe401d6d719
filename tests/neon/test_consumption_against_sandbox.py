"""Figures of consumption by the client against the local Neon."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from backups.neon.consumption import ONLY_OF_PROJECTS, Granularity, Metric
from backups.neon.retry import RetryPolicy
from neon_sandbox.testing import RunningSandbox
from tests.neon.local import client_of, settled

OF_BRANCHES = [metric for metric in Metric if metric not in ONLY_OF_PROJECTS]


@pytest.fixture
def neon(local: NeonClient) -> NeonClient:
    return local


@pytest.fixture
def org_id(neon: NeonClient) -> str:
    return neon.account.organizations()[0].id


def last(sandbox: RunningSandbox, hours: float, granularity: Granularity = Granularity.HOURLY) -> dict[str, Any]:
    """Until the last full hour, whose figures don't grow any more."""
    now = sandbox.now().replace(minute=0, second=0, microsecond=0)
    return {"since": now - timedelta(hours=hours), "until": now, "granularity": granularity}


def test_what_a_day_has_used(neon: NeonClient, sandbox: RunningSandbox, org_id: str) -> None:
    child = neon.branches.create(sandbox.project_id, name="child", parent_id=sandbox.branch_id)
    settled(neon, sandbox, child)
    sandbox.move_clock(24 * 3600)
    (mine,) = neon.consumption.projects(org_id, **last(sandbox, 24), metrics=list(Metric))
    assert mine.project_id == sandbox.project_id
    assert set(mine.timeframes[0].amounts) == set(Metric)
    starts = [frame.start for frame in mine.timeframes]
    assert starts == sorted(starts)
    assert {frame.end - frame.start for frame in mine.timeframes} == {timedelta(hours=1)}
    # Every hour of the one child counts; the plan's share of them is the reader's to take away.
    assert mine.total(Metric.EXTRA_BRANCHES) in {23, 24}
    branches = neon.consumption.branches(
        org_id, **last(sandbox, 24), metrics=OF_BRANCHES, project_ids=[sandbox.project_id]
    )
    assert child.branch is not None
    assert {usage.branch_id for usage in branches} == {sandbox.branch_id, child.branch.id}
    for metric in OF_BRANCHES:
        together = sum(usage.total(metric) for usage in branches)
        assert together == pytest.approx(mine.total(metric), abs=2 * len(mine.timeframes))
    (one,) = neon.consumption.branches(
        org_id,
        **last(sandbox, 24, Granularity.DAILY),
        metrics=OF_BRANCHES,
        project_ids=[sandbox.project_id],
        branch_ids=[sandbox.branch_id],
    )
    assert one.branch_id == sandbox.branch_id
    assert one.periods[0].plan is not None


def test_what_is_refused(neon: NeonClient, sandbox: RunningSandbox, org_id: str) -> None:
    figures = last(sandbox, 24) | {"metrics": [Metric.COMPUTE_UNIT_SECONDS]}
    with pytest.raises(errors.NeonOutOfWindow):
        neon.consumption.projects(org_id, **figures | {"since": sandbox.now() - timedelta(hours=169)})
    with pytest.raises(errors.NeonNotFound):
        neon.consumption.projects("org-no-such-12345678", **figures)
    sandbox.settings(plan="free")
    with pytest.raises(errors.NeonForbidden):
        neon.consumption.projects(org_id, **figures)


def test_the_limit_of_its_own_does_not_stop_other_calls(neon: NeonClient, sandbox: RunningSandbox, org_id: str) -> None:
    sandbox.settings(rate_limits=True)
    figures = last(sandbox, 1) | {"metrics": [Metric.COMPUTE_UNIT_SECONDS]}

    def ask_often() -> None:
        with client_of(sandbox, retry_policy=RetryPolicy(read_attempts=1)) as impatient:
            for _ in range(60):
                impatient.consumption.projects(org_id, **figures)

    with pytest.raises(errors.NeonRateLimited):
        ask_often()
    assert neon.projects.get(sandbox.project_id).id == sandbox.project_id
