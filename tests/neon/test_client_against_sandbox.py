"""Every method against the local Neon, over a socket, with the faults that a network and Neon have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backups.neon import errors
from backups.neon.branches import NewEndpoint
from backups.neon.client import NeonClient
from backups.neon.results import Progress
from backups.neon.secret import Secret
from neon_sandbox.testing import RunningSandbox
from tests.neon.local import a_moment_ago, client_of, settled


@pytest.fixture
def neon(local: NeonClient) -> NeonClient:
    return local


def restore(neon: NeonClient, sandbox: RunningSandbox, name: str = "before-restore", **point: Any) -> Any:
    return neon.branches.restore(
        sandbox.project_id,
        target_branch_id=sandbox.branch_id,
        source_branch_id=sandbox.branch_id,
        preserve_under_name=name,
        **(point or {"source_timestamp": a_moment_ago()}),
    )


def test_reading(neon: NeonClient, sandbox: RunningSandbox) -> None:
    project, main = sandbox.project_id, sandbox.branch_id
    assert neon.auth().auth_method == "api_key_org"
    assert (neon.projects.get(project).history_retention_seconds or 0) > 0
    assert [p.id for p in neon.projects.list().projects] == [project]
    branch = neon.branches.get(project, main)
    assert (branch.name, branch.is_root, branch.is_ready, branch.default) == ("main", True, True, True)
    assert neon.branches.list(project) == (branch,)
    assert neon.branches.find_by_name(project, "main") == branch
    assert neon.branches.find_by_name(project, "mai") is None
    (endpoint,) = neon.endpoints.list(project)
    assert endpoint.is_read_write
    assert neon.endpoints.list_for_branch(project, main) == (endpoint,)
    assert neon.endpoints.get(project, endpoint.id).host == endpoint.host
    assert [d.name for d in neon.databases.list(project, main)] == ["carecircle"]


def test_passwords_and_connection_strings(neon: NeonClient, sandbox: RunningSandbox) -> None:
    (role,) = neon.roles.list(sandbox.project_id, sandbox.branch_id)
    password = neon.roles.reveal_password(sandbox.project_id, sandbox.branch_id, role.name)
    uri = neon.connection_uri(
        sandbox.project_id, branch_id=sandbox.branch_id, database_name="carecircle", role_name=role.name
    )
    assert uri.reveal() == sandbox.dsn()
    assert password.reveal() in uri.reveal()
    with pytest.raises(errors.NeonNotFound):
        neon.roles.reveal_password(sandbox.project_id, sandbox.branch_id, "nobody")


def test_the_life_of_a_copy(neon: NeonClient, sandbox: RunningSandbox) -> None:
    project = sandbox.project_id
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    change = neon.branches.create(
        project,
        name="look-1",
        parent_id=sandbox.branch_id,
        parent_timestamp=a_moment_ago(),
        endpoint=NewEndpoint(),
        expires_at=expires_at,
        annotation={"carecircle": "look-1"},
    )
    assert change.branch is not None
    copy_id = change.branch.id
    settled(neon, sandbox, change)
    copy = neon.branches.get(project, copy_id)
    assert copy.parent_id == sandbox.branch_id
    assert copy.annotation == {"carecircle": "look-1"}
    assert copy.expires_at is not None
    assert abs(copy.expires_at - expires_at) <= timedelta(seconds=1)
    endpoint = change.endpoints[0]
    settled(neon, sandbox, neon.endpoints.suspend(project, endpoint.id))
    assert neon.endpoints.get(project, endpoint.id).current_state == "idle"
    settled(neon, sandbox, neon.endpoints.start(project, endpoint.id))
    assert neon.endpoints.get(project, endpoint.id).current_state == "active"
    settled(neon, sandbox, neon.branches.update(project, copy_id, name="look-2", never_expires=True))
    renamed = neon.branches.find_by_name(project, "look-2")
    assert renamed is not None
    assert (renamed.id, renamed.expires_at) == (copy_id, None)
    settled(neon, sandbox, neon.branches.delete(project, copy_id))
    assert neon.branches.find_by_name(project, "look-2") is None
    assert neon.branches.delete(project, copy_id).branch is None
    with pytest.raises(errors.NeonNotFound):
        neon.branches.get(project, copy_id)


def test_a_copy_without_compute_gets_one_and_becomes_default(neon: NeonClient, sandbox: RunningSandbox) -> None:
    project = sandbox.project_id
    change = neon.branches.create(project, name="copy", parent_id=sandbox.branch_id)
    assert change.branch is not None
    copy_id = change.branch.id
    settled(neon, sandbox, change)
    settled(neon, sandbox, neon.endpoints.create(project, branch_id=copy_id))
    assert len(neon.endpoints.list_for_branch(project, copy_id)) == 1
    settled(neon, sandbox, neon.branches.set_as_default(project, copy_id))
    assert neon.branches.get(project, copy_id).default
    with pytest.raises(errors.NeonRefused):
        neon.branches.delete(project, copy_id)


def test_a_restore_in_place_keeps_the_branch_and_preserves_its_state(neon: NeonClient, sandbox: RunningSandbox) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    before = neon.branches.get(sandbox.project_id, sandbox.branch_id)
    change = restore(neon, sandbox)
    settled(neon, sandbox, change)
    after = neon.branches.get(sandbox.project_id, sandbox.branch_id)
    preserved = neon.branches.find_by_name(sandbox.project_id, "before-restore")
    assert preserved is not None
    assert (after.name, before.last_reset_at) == ("main", None)
    assert after.last_reset_at is not None
    found = neon.operations.list_since(sandbox.project_id, began)
    assert set(change.operation_ids) <= {o.id for o in found}
    assert neon.operations.list_since(sandbox.project_id, datetime.now(UTC) + timedelta(hours=1)) == ()


def test_all_pages_are_read(sandbox: RunningSandbox) -> None:
    with client_of(sandbox, page_size=2) as neon:
        for n in range(4):
            settled(neon, sandbox, neon.branches.create(sandbox.project_id, name=f"c-{n}", parent_id=sandbox.branch_id))
        assert [b.name for b in neon.branches.list(sandbox.project_id)] == ["main", "c-0", "c-1", "c-2", "c-3"]
        operations = neon.operations.list_since(sandbox.project_id, datetime.now(UTC) - timedelta(hours=1))
        assert len({o.id for o in operations}) >= 4


def test_busy_is_said_and_nothing_is_queued(neon: NeonClient, sandbox: RunningSandbox) -> None:
    sandbox.lock_project(30)
    with pytest.raises(errors.NeonBusy) as caught:
        restore(neon, sandbox)
    assert caught.value.retry_after_seconds >= 0
    assert neon.branches.find_by_name(sandbox.project_id, "before-restore") is None
    assert len(sandbox.calls("POST", "/restore")) == 1


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("lose_answer", {}),
        ("error_after_success", {"status": 500}),
        ("hang", {"apply": True, "seconds": 5}),
        ("drip", {"interval_seconds": 0.05}),
        ("html", {"apply": True}),
        ("drop_fields", {"fields": ["operations"]}),
    ],
)
def test_a_restore_that_happened_without_a_usable_answer_can_be_looked_up(
    sandbox: RunningSandbox, kind: str, parameters: dict[str, Any]
) -> None:
    sandbox.faults.add(kind, method="POST", path="/restore$", **parameters)
    with client_of(sandbox, total_seconds=0.5) as neon:
        with pytest.raises(errors.OutcomeUnknown):
            restore(neon, sandbox)
        assert neon.branches.find_by_name(sandbox.project_id, "before-restore") is not None
    assert len(sandbox.calls("POST", "/restore")) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(423, errors.NeonBusy), (429, errors.NeonRateLimited), (503, errors.NeonUnavailable)],
)
def test_nothing_was_done_when_neon_says_later(
    neon: NeonClient, sandbox: RunningSandbox, status: int, error: type[errors.TryLater]
) -> None:
    sandbox.faults.add("status", method="POST", status=status, retry_after=7)
    with pytest.raises(error) as caught:
        restore(neon, sandbox)
    assert (caught.value.retry_after_seconds, caught.value.asked_by_neon) == (7.0, True)
    assert neon.branches.find_by_name(sandbox.project_id, "before-restore") is None


def test_reads_get_over_a_bad_moment(neon: NeonClient, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("lose_answer", method="GET", path="/branches$")
    sandbox.faults.add("html", method="GET", path="/branches$")
    assert len(neon.branches.list(sandbox.project_id)) == 1
    # Two that failed, one that did not, and the empty page that ends the list.
    assert len(sandbox.calls("GET", "/branches")) == 4


def test_a_failed_operation_that_neon_finishes_is_no_failure(neon: NeonClient, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("operation_fails", method="POST", path="/restore$", seconds=0.3)
    settled(neon, sandbox, restore(neon, sandbox))


def test_an_operation_that_ends_in_error_is_one(neon: NeonClient, sandbox: RunningSandbox) -> None:
    sandbox.faults.add("operation_fails", method="POST", path="/restore$", seconds=0.1, final=True, error="no room")
    change = restore(neon, sandbox)
    state = neon.operations.wait_for(sandbox.project_id, change.operation_ids, deadline_seconds=10)
    assert state.progress is Progress.FAILED
    assert state.failed[0].error == "no room"


def test_refusals_are_told_apart(neon: NeonClient, sandbox: RunningSandbox) -> None:
    with pytest.raises(errors.NeonRefused, match="future"):
        restore(neon, sandbox, source_timestamp=datetime(2099, 1, 1, tzinfo=UTC))
    with pytest.raises(errors.NeonNotFound):
        neon.branches.get(sandbox.project_id, "br-no-such-12345678")
    sandbox.settings(root_cap=1)
    with pytest.raises(errors.NeonRefused) as caught:
        restore(neon, sandbox)
    assert caught.value.limit_reached


def test_a_wrong_and_a_revoked_key(sandbox: RunningSandbox) -> None:
    with NeonClient(Secret("napi_wrong_wrong"), sandbox.url) as neon, pytest.raises(errors.NeonKeyRejected):
        neon.auth()
    sandbox.faults.add("revoke_key", method="POST")
    with client_of(sandbox) as neon:
        with pytest.raises(errors.NeonKeyRejected):
            restore(neon, sandbox)
        with pytest.raises(errors.NeonKeyRejected):
            neon.auth()
