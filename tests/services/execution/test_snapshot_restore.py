"""A restore from a snapshot, in one step and with its copy looked at first, at a Neon that behaves."""

from __future__ import annotations

from typing import Any

import pytest

from backups.domain.execution import IntentKind
from backups.domain.restore import RequestState, SnapshotMode
from backups.models import CheckResult, FormerBranchId, LedgerEvent, OwnedBranch
from backups.services.execution.advance import advance
from tests.services.execution.scene import Scene, intents, work

BOTH = pytest.mark.parametrize("mode", list(SnapshotMode))


@BOTH
def test_the_branch_is_replaced_once_verified_and_followed_to_its_new_id(scene: Scene, mode: SnapshotMode) -> None:
    before = scene.sandbox.branch_id
    run = work(scene.started(**scene.snapshot_wish(mode)))
    assert (run.state, run.outcome_code) == ("finished", "completed"), (run.halt_sentence, run.outcome_code)
    request = run.request
    assert request is not None
    request.refresh_from_db()
    assert request.state == RequestState.COMPLETED
    scene.branch.refresh_from_db()
    assert scene.branch.neon_branch_id != before
    assert (scene.branch.name, scene.branch.label, scene.branch.is_from_snapshot) == ("main", "production", True)
    assert [row.neon_branch_id for row in FormerBranchId.objects.filter(branch=scene.branch)] == [before]
    with scene.neon() as client:
        now = client.branches.get(scene.sandbox.project_id, scene.branch.neon_branch_id)
        kept = client.branches.get(scene.sandbox.project_id, before)
    assert (now.name, now.restored_from) == ("main", request.snapshot_id)
    owned = OwnedBranch.objects.get(neon_branch_id=before)
    assert (owned.name, owned.purpose, owned.fate) == (kept.name, "preserved", "present")
    assert kept.name == request.preserve_name
    (event,) = LedgerEvent.objects.filter(type="project.branch_rekeyed")
    assert event.members["data"]["previous_branch"] == before
    scene.assert_invariants()


def test_one_step_is_one_call_and_the_copy_that_was_voted_on_is_compared_with(scene: Scene) -> None:
    run = work(scene.started(**scene.snapshot_wish(SnapshotMode.ONE_STEP)))
    assert [intent.kind for intent in intents(run)] == [IntentKind.RESTORE_SNAPSHOT]
    preview = OwnedBranch.objects.get(request=run.request, purpose="preview")
    assert run.memory["reference_branch_id"] == preview.neon_branch_id
    assert preview.fate == "present"


def test_preview_first_checks_the_copy_then_promotes_it_and_compares_with_another(scene: Scene) -> None:
    run = work(scene.started(**scene.snapshot_wish(SnapshotMode.PREVIEW_FIRST)))
    assert [intent.kind for intent in intents(run)] == [IntentKind.FINALIZE_RESTORE, IntentKind.CREATE_BRANCH]
    steps = [step.step for step in run.steps.all() if step.result == "advance"]
    assert steps[:5] == ["preflight", "copy", "rehearse", "preflight", "submit"]
    assert run.request is not None
    promoted = OwnedBranch.objects.get(request=run.request, name=run.request.preview_name)
    scene.branch.refresh_from_db()
    assert (promoted.fate, promoted.neon_branch_id) == ("promoted", scene.branch.neon_branch_id)
    assert run.memory["reference_branch_id"] != promoted.neon_branch_id
    rounds = set(CheckResult.objects.filter(execution=run).values_list("before_effect", flat=True))
    assert rounds == {True, False}


def test_a_copy_that_is_gone_is_made_again_before_anything_is_overwritten(scene: Scene) -> None:
    request = scene.approved(**scene.snapshot_wish(SnapshotMode.PREVIEW_FIRST))
    with scene.neon() as stranger:
        stranger.branches.delete(scene.sandbox.project_id, OwnedBranch.objects.get(request=request).neon_branch_id)
    run = work(scene.started(request))
    assert run.outcome_code == "completed", run.halt_sentence
    kinds = [intent.kind for intent in intents(run)]
    assert kinds == [IntentKind.CREATE_BRANCH, IntentKind.FINALIZE_RESTORE, IntentKind.CREATE_BRANCH]
    scene.assert_invariants()


def test_a_copy_without_a_compute_is_given_one(scene: Scene, settings: Any) -> None:
    settings.EXECUTION_BUDGET_SECONDS = 4.0
    request = scene.approved(**scene.snapshot_wish(SnapshotMode.PREVIEW_FIRST))
    with scene.neon() as stranger:
        stranger.branches.delete(scene.sandbox.project_id, OwnedBranch.objects.get(request=request).neon_branch_id)
    scene.sandbox.faults.add("delay_operations", seconds=5, method="POST", path="/snapshots/.*/restore$")
    run = scene.started(request)
    advance(run.pk)
    run.refresh_from_db()
    assert run.waiting_for == "the copy of the snapshot"
    (made,) = intents(run)
    with scene.neon() as stranger:
        stranger.operations.wait_for(scene.sandbox.project_id, made.operation_ids, deadline_seconds=10)
        copy = OwnedBranch.objects.get(request=request, purpose="preview", fate="present", name=request.preview_name)
        (endpoint,) = stranger.endpoints.list_for_branch(scene.sandbox.project_id, copy.neon_branch_id)
        stranger.endpoints.delete(scene.sandbox.project_id, endpoint.id)
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    assert IntentKind.CREATE_ENDPOINT in {intent.kind for intent in intents(run)}
    scene.assert_invariants()
