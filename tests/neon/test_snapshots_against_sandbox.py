"""Snapshots and schedules against the local Neon, with the faults that a network and Neon have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backups.neon import errors
from backups.neon.client import NeonClient
from backups.neon.results import Progress
from backups.neon.schedules import ScheduleItem
from backups.neon.snapshots import Snapshot
from backups.neon.types import Branch
from neon_sandbox.testing import RunningSandbox
from tests.neon.local import a_moment_ago, client_of, settled
from tests.sandbox.programs import wait_until

NIGHTLY = ScheduleItem("daily", hour=2, retention_seconds=604800)


@pytest.fixture
def neon(local: NeonClient) -> NeonClient:
    return local


@pytest.fixture
def taken(neon: NeonClient, sandbox: RunningSandbox) -> Snapshot:
    change = neon.snapshots.create(sandbox.project_id, branch_id=sandbox.branch_id, name="before import & more")
    settled(neon, sandbox, change)
    return change.snapshot


def found(neon: NeonClient, project_id: str, name: str) -> Branch:
    branch = neon.branches.find_by_name(project_id, name)
    assert branch is not None
    return branch


def all_done(neon: NeonClient, project_id: str) -> None:
    """Wait for operations whose ids were lost with the answer."""
    begun = neon.operations.list_since(project_id, datetime.now(UTC) - timedelta(hours=1))
    state = neon.operations.wait_for(project_id, [operation.id for operation in begun], deadline_seconds=10)
    assert state.progress is Progress.DONE


def restored(neon: NeonClient, sandbox: RunningSandbox, snapshot: Snapshot, **how: Any) -> Any:
    return neon.snapshots.restore(sandbox.project_id, snapshot.id, target_branch_id=sandbox.branch_id, **how)


def test_the_life_of_a_snapshot(neon: NeonClient, sandbox: RunningSandbox) -> None:
    project, expires_at = sandbox.project_id, datetime.now(UTC) + timedelta(days=1)
    change = neon.snapshots.create(
        project,
        branch_id=sandbox.branch_id,
        name="before import & more",
        timestamp=a_moment_ago(),
        expires_at=expires_at,
        slug="before-import",
    )
    settled(neon, sandbox, change)
    (listed,) = neon.snapshots.list(project)
    assert neon.snapshots.find_by_name(project, "before import & more") == listed
    assert (listed.id, listed.slug, listed.manual) == (change.snapshot.id, "before-import", True)
    assert listed.source_branch_id == sandbox.branch_id
    assert listed.expires_at is not None
    assert timedelta(0) <= listed.expires_at - expires_at <= timedelta(seconds=1)
    renamed = neon.snapshots.update(project, listed.id, name="kept", never_expires=True)
    assert (renamed.snapshot.name, renamed.snapshot.expires_at) == ("kept", None)
    settled(neon, sandbox, neon.snapshots.delete(project, listed.id))
    assert neon.snapshots.list(project) == ()
    with pytest.raises(errors.NeonNotFound):
        neon.snapshots.delete(project, listed.id)


def test_a_preview_leaves_the_target_alone_until_it_is_finalised(
    neon: NeonClient, sandbox: RunningSandbox, taken: Snapshot
) -> None:
    project = sandbox.project_id
    (host,) = (endpoint.host for endpoint in neon.endpoints.list_for_branch(project, sandbox.branch_id))
    change = restored(neon, sandbox, taken, finalize=False, name="look-1")
    assert change.branch is not None
    settled(neon, sandbox, change)
    preview = found(neon, project, "look-1")
    assert (preview.restored_from, preview.restored_as, preview.restore_status) == (
        taken.id,
        sandbox.branch_id,
        "restored",
    )
    assert neon.branches.get(project, sandbox.branch_id).name == "main"
    settled(neon, sandbox, neon.branches.finalize_restore(project, preview.id))
    main = found(neon, project, "main")
    assert main.id == preview.id
    assert main.restored_from == taken.id
    assert main.restore_status != "restored"
    assert not main.can_be_restore_target
    assert neon.branches.get(project, sandbox.branch_id).name == "main (old)"
    assert [endpoint.host for endpoint in neon.endpoints.list_for_branch(project, main.id)] == [host]
    assert neon.endpoints.list_for_branch(project, sandbox.branch_id) == ()


def test_in_one_step_the_branch_gets_another_id(neon: NeonClient, sandbox: RunningSandbox, taken: Snapshot) -> None:
    project = sandbox.project_id
    settled(neon, sandbox, restored(neon, sandbox, taken, finalize=True))
    main = found(neon, project, "main")
    assert main.id != sandbox.branch_id
    assert main.restored_from == taken.id
    assert neon.snapshots.list(project)[0].source_branch_id == sandbox.branch_id


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("lose_answer", {}), ("html", {"apply": True}), ("drop_fields", {"fields": ["operations"]})],
)
def test_a_snapshot_whose_answer_is_lost_is_found_by_its_name(
    sandbox: RunningSandbox, kind: str, parameters: dict[str, Any]
) -> None:
    sandbox.faults.add(kind, method="POST", path="/snapshot$", **parameters)
    with client_of(sandbox, total_seconds=0.5) as neon:
        with pytest.raises(errors.OutcomeUnknown) as caught:
            neon.snapshots.create(sandbox.project_id, branch_id=sandbox.branch_id, name="once")
        assert not caught.value.safe_to_repeat
        assert neon.snapshots.find_by_name(sandbox.project_id, "once") is not None
    assert len(sandbox.calls("POST", "/snapshot")) == 1


def test_a_restore_whose_answer_is_lost_shows_where_the_catalogue_says(
    neon: NeonClient, sandbox: RunningSandbox, taken: Snapshot
) -> None:
    project = sandbox.project_id
    sandbox.faults.add("lose_answer", method="POST", path="/(finalize_)?restore$", times=None)
    with pytest.raises(errors.OutcomeUnknown):
        restored(neon, sandbox, taken, finalize=False, name="look-1")
    preview = found(neon, project, "look-1")
    assert (preview.restored_from, preview.restore_status) == (taken.id, "restored")
    all_done(neon, project)
    with pytest.raises(errors.OutcomeUnknown):
        neon.branches.finalize_restore(project, preview.id)
    all_done(neon, project)
    first = found(neon, project, "main")
    assert (first.id, first.restore_status == "restored") == (preview.id, False)
    with pytest.raises(errors.OutcomeUnknown):
        neon.snapshots.restore(project, taken.id, target_branch_id=first.id, finalize=True)
    all_done(neon, project)
    second = found(neon, project, "main")
    assert second.id != first.id
    assert second.restored_from == taken.id


def test_what_neon_refuses(neon: NeonClient, sandbox: RunningSandbox, taken: Snapshot) -> None:
    project = sandbox.project_id
    with pytest.raises(errors.NeonRefused):
        neon.snapshots.create(project, branch_id=sandbox.branch_id, name=taken.name)
    child = neon.branches.create(project, name="child", parent_id=sandbox.branch_id)
    settled(neon, sandbox, child)
    assert child.branch is not None
    with pytest.raises(errors.NeonRefused):
        neon.snapshots.create(project, branch_id=child.branch.id, name="of a child")
    with pytest.raises(errors.NeonRefused):
        neon.branches.finalize_restore(project, child.branch.id)
    with pytest.raises(errors.NeonNotFound):
        neon.snapshots.update(project, "snap-no-such-12345678", name="a")


def test_a_schedule_is_replaced_and_turned_off(neon: NeonClient, sandbox: RunningSandbox) -> None:
    project, main = sandbox.project_id, sandbox.branch_id
    weekly = ScheduleItem("weekly", hour=3, day=7)
    assert neon.schedules.get(project, main) == ()
    neon.schedules.put(project, main, [NIGHTLY, weekly])
    nightly, second = neon.schedules.get(project, main)
    assert nightly == NIGHTLY
    assert (second.frequency, second.hour, second.day) == ("weekly", 3, 7)
    sandbox.settings(plan="free")
    with pytest.raises(errors.NeonForbidden, match="Free plan"):
        neon.schedules.put(project, main, [NIGHTLY])
    assert len(neon.schedules.get(project, main)) == 2
    neon.schedules.put(project, main, ())
    assert neon.schedules.get(project, main) == ()


def test_a_schedule_runs(neon: NeonClient, sandbox: RunningSandbox) -> None:
    project = sandbox.project_id
    neon.schedules.put(project, sandbox.branch_id, [NIGHTLY])
    sandbox.move_clock(24 * 3600)
    wait_until(lambda: neon.snapshots.list(project), "the nightly snapshot")
    oldest = neon.snapshots.list(project)[-1]
    assert (oldest.manual, oldest.source_branch_id) == (False, sandbox.branch_id)
    assert oldest.timestamp is not None
    assert oldest.timestamp.hour == NIGHTLY.hour
    assert oldest.expires_at is not None
    assert abs(oldest.expires_at - oldest.timestamp - timedelta(days=7)) < timedelta(days=1)
