"""The facts of a restore from a snapshot: read on a copy of it, made once, owned, and removed when nobody needs it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backups.domain.consequence import SHRINKS
from backups.domain.execution import BranchFate, Purpose
from backups.domain.restore import RequestState, RestoreKind, SnapshotMode
from backups.models import Execution, OwnedBranch, ProtectedBranch, RestoreRequest
from backups.services.dispose import dispose_due_branches
from backups.services.neon_access import client_for
from backups.services.restore.votes import withdraw_request
from backups.services.snapshot import choose_snapshot
from neon_sandbox.entities import Snapshot
from neon_sandbox.testing import RunningSandbox
from tests import factories
from tests.services.sandboxes import run_to_end
from tests.services.test_prepare import run_of, unknown

pytestmark = pytest.mark.django_db
COPY: dict[str, Any] = {"method": "POST", "path": r"/snapshots/[^/]+/restore$"}


@pytest.fixture
def snapshot(sandbox: RunningSandbox) -> Snapshot:
    return sandbox.take_snapshot(name="nightly")


@pytest.fixture(params=list(SnapshotMode))
def request_(
    request: pytest.FixtureRequest, branch: ProtectedBranch, people: factories.People, snapshot: Snapshot
) -> RestoreRequest:
    point = choose_snapshot(branch_id=branch.pk, snapshot_id=snapshot.id)
    return factories.submitted(
        people.alice, branch, kind=RestoreKind.SNAPSHOT, point=point, snapshot_mode=request.param
    )


def copies(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    return [call for call in sandbox.calls("POST", "/restore") if call["applied"]]


def test_it_publishes_what_is_bound_and_what_it_costs(
    sandbox: RunningSandbox, request_: RestoreRequest, snapshot: Snapshot
) -> None:
    run = run_to_end(run_of(request_))
    request_.refresh_from_db()
    assert (run.outcome_code, request_.state) == ("published", "pending")
    packet = request_.packet
    assert packet is not None
    bound = packet.bound
    assert (bound["kind"], bound["point_kind"], bound["point"]) == ("snapshot", "snapshot", snapshot.id)
    assert (bound["snapshot_name"], bound["snapshot_mode"]) == ("nightly", request_.snapshot_mode)
    assert (bound["source_branch_id"], bound["votes_needed"]) == (sandbox.branch_id, 2)
    assert packet.observed["rehearsal"]["outcome"] == "passed"
    assert unknown(request_) == {}
    assert "with what the snapshot nightly holds, taken" in packet.consequence
    assert SHRINKS in packet.consequence
    kept = "main (old)" if request_.snapshot_mode == SnapshotMode.ONE_STEP else f"main_before_{request_.reference}"
    assert f"kept as {kept}, without a compute" in packet.consequence


def test_the_copy_is_beside_the_branch_owned_and_has_no_date_on_which_neon_deletes_it(
    sandbox: RunningSandbox, request_: RestoreRequest
) -> None:
    run_to_end(run_of(request_))
    owned = OwnedBranch.objects.get(request=request_)
    assert (owned.name, owned.fate, owned.purpose, owned.expires_at) == (
        request_.preview_name, "present", "preview", None,
    )  # fmt: skip
    (call,) = copies(sandbox)
    assert call["body"] == {
        "name": request_.preview_name, "target_branch_id": sandbox.branch_id, "finalize_restore": False,
    }  # fmt: skip
    with client_for(request_.branch.project, correlation="tests") as client:
        found = client.branches.get(sandbox.project_id, owned.neon_branch_id)
    assert (found.is_root, found.expires_at, found.restored_from) == (True, None, request_.snapshot_id)


FAULTS: dict[str, dict[str, Any]] = {
    "the connection closes": {"kind": "lose_answer"},
    "500 after success": {"kind": "error_after_success"},
    "500 and nothing done": {"kind": "status", "status": 500},
    "busy": {"kind": "status", "status": 423},
    "too many calls": {"kind": "status", "status": 429, "retry_after": 1},
    "html after the work": {"kind": "html", "apply": True},
    "a byte a second": {"kind": "drip", "interval_seconds": 0.4},
    "late": {"kind": "apply_late", "seconds": 0.6},
    "no branch in the answer": {"kind": "drop_fields", "fields": ["branch"]},
    "an operation fails for a while": {"kind": "operation_fails", "seconds": 0.4},
    "slow": {"kind": "delay_operations", "seconds": 1.0},
}


@pytest.mark.parametrize("request_", [SnapshotMode.PREVIEW_FIRST], indirect=True)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_one_copy_is_made_whatever_becomes_of_the_answer(
    sandbox: RunningSandbox, request_: RestoreRequest, fault: dict[str, Any]
) -> None:
    sandbox.faults.add(**fault, **COPY)
    run = run_to_end(run_of(request_), most=200)
    assert run.outcome_code == "published"
    assert len(copies(sandbox)) == 1
    owned = OwnedBranch.objects.get(request=request_)
    assert owned.fate == BranchFate.PRESENT
    request_.refresh_from_db()
    assert request_.packet is not None
    assert request_.packet.observed["rehearsal"]["outcome"] == "passed"


@pytest.mark.parametrize("request_", [SnapshotMode.PREVIEW_FIRST], indirect=True)
def test_a_namesake_that_did_not_come_of_the_snapshot_is_not_read(
    sandbox: RunningSandbox, request_: RestoreRequest
) -> None:
    with client_for(request_.branch.project, correlation="tests") as client:
        made = client.branches.create(
            sandbox.project_id, name=request_.preview_name, parent_id=request_.branch.neon_branch_id
        )
        client.operations.wait_for(sandbox.project_id, made.operation_ids, deadline_seconds=5)
    run = run_to_end(run_of(request_), most=200)
    assert run.outcome_code == "published"
    assert "no copy could be made" in unknown(RestoreRequest.objects.get(pk=request_.pk))["tables at the point"]
    assert copies(sandbox) == []


@pytest.mark.parametrize("request_", [SnapshotMode.PREVIEW_FIRST], indirect=True)
def test_a_snapshot_that_is_gone_gives_the_draft_back(sandbox: RunningSandbox, request_: RestoreRequest) -> None:
    with client_for(request_.branch.project, correlation="tests") as client:
        client.snapshots.delete(sandbox.project_id, request_.snapshot_id)
    run = run_to_end(run_of(request_))
    request_.refresh_from_db()
    assert (run.outcome_code, request_.state) == ("snapshot_gone", RequestState.DRAFT)
    assert "Choose another one." in request_.outcome_sentence


@pytest.mark.parametrize("request_", [SnapshotMode.PREVIEW_FIRST], indirect=True)
def test_a_snapshot_of_another_time_than_was_shown_gives_the_draft_back(
    sandbox: RunningSandbox, request_: RestoreRequest
) -> None:
    assert request_.point_at is not None
    RestoreRequest.objects.filter(pk=request_.pk).update(point_at=request_.point_at - dt.timedelta(hours=1))
    run = run_to_end(run_of(request_))
    assert run.outcome_code == "snapshot_changed"
    assert copies(sandbox) == []


@pytest.mark.parametrize("request_", [SnapshotMode.PREVIEW_FIRST], indirect=True)
def test_the_name_that_is_shown_is_the_one_that_is_bound(sandbox: RunningSandbox, request_: RestoreRequest) -> None:
    with client_for(request_.branch.project, correlation="tests") as client:
        client.snapshots.update(sandbox.project_id, request_.snapshot_id, name="renamed since")
    run_to_end(run_of(request_))
    request_.refresh_from_db()
    assert request_.packet is not None
    assert request_.snapshot_name == request_.packet.bound["snapshot_name"] == "renamed since"


def test_the_copy_goes_when_the_request_has_ended(
    sandbox: RunningSandbox, request_: RestoreRequest, people: factories.People
) -> None:
    run_to_end(run_of(request_))
    assert dispose_due_branches() == 0
    withdraw_request(actor=people.alice.actor, request_id=request_.pk)
    assert dispose_due_branches() == 1
    removal = run_to_end(Execution.objects.get(purpose=Purpose.DISPOSE))
    assert removal.outcome_code == "removed"
    assert OwnedBranch.objects.get(request=request_).fate == BranchFate.GONE


@pytest.mark.parametrize("request_", [SnapshotMode.PREVIEW_FIRST], indirect=True)
def test_a_copy_whose_answer_was_lost_is_found_by_its_snapshot_and_removed(
    sandbox: RunningSandbox, request_: RestoreRequest, people: factories.People
) -> None:
    run_to_end(run_of(request_))
    OwnedBranch.objects.filter(request=request_).update(neon_branch_id="", fate=BranchFate.INTENDED)
    withdraw_request(actor=people.alice.actor, request_id=request_.pk)
    dispose_due_branches()
    assert run_to_end(Execution.objects.get(purpose=Purpose.DISPOSE)).outcome_code == "removed"
