"""A restore from a snapshot at a Neon that misbehaves: at each call, the branch is replaced once or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from backups.domain.policy import Policy
from backups.domain.restore import RequestState, SnapshotMode
from backups.models import Execution, LedgerEvent, OwnedBranch, PolicyVersion, ProtectedBranch
from backups.services.execution.advance import advance
from backups.services.restore.attention import look_again, verify_again
from tests.services.execution.scene import CHECKED, Scene, intents, work
from tests.services.execution.test_faults_answers import DONE_AND_NOT_HEARD, NOT_DONE_AND_NOT_HEARD
from tests.support.soaking import rest_by_soak

ONE_STEP, PREVIEW_FIRST = SnapshotMode.ONE_STEP, SnapshotMode.PREVIEW_FIRST
#: The other order takes the same ways through the code once it is found; those are tried for it by `make soak`.
BOTH = pytest.mark.parametrize("mode", [ONE_STEP, pytest.param(PREVIEW_FIRST, marks=pytest.mark.soak)])
#: The call that replaces the branch.
ORDER: dict[SnapshotMode, dict[str, Any]] = {
    ONE_STEP: {"method": "POST", "path": r"/snapshots/[^/]+/restore$"},
    PREVIEW_FIRST: {"method": "POST", "path": r"/finalize_restore$"},
}
#: Every other call that a preview-first run makes before and after it.
READS = {
    "branches": r"/branches$",
    "snapshots": r"/snapshots$",
    "databases": r"/databases$",
    "operations": r"/operations(/|$)",
    "endpoints": r"/endpoints$",
}


def both_ways(faults: dict[str, dict[str, Any]]) -> list[Any]:
    """Each order with two of them; all are tried by `make soak`, and each time on the restore in place."""
    some = list(faults)[:2]
    return [
        pytest.param(mode, fault, id=f"{mode}: {name}", marks=() if name in some else pytest.mark.soak)
        for mode in (ONE_STEP, PREVIEW_FIRST)
        for name, fault in faults.items()
    ]


def order_of(run: Execution) -> list[str]:
    """What became of the calls that replace the branch."""
    return [intent.outcome for intent in intents(run) if intent.kind in {"restore_snapshot", "finalize_restore"}]


def state_of(run: Execution) -> str:
    assert run.request is not None
    run.request.refresh_from_db()
    return run.request.state


def replaced_once(scene: Scene, run: Execution) -> None:
    assert run.outcome_code == "completed", (run.state, run.outcome_code, run.halt_sentence)
    assert len(scene.exchanges()) == 1
    assert order_of(run)[-1] == "applied"
    scene.branch.refresh_from_db()
    assert scene.branch.neon_branch_id != scene.sandbox.branch_id
    scene.assert_invariants()


def untouched(scene: Scene) -> None:
    scene.branch.refresh_from_db()
    assert scene.branch.neon_branch_id == scene.sandbox.branch_id
    assert scene.exchanges() == []
    scene.assert_invariants()


@pytest.mark.parametrize(("mode", "fault"), both_ways(DONE_AND_NOT_HEARD))
def test_an_order_without_an_answer_is_found_and_adopted(
    scene: Scene, mode: SnapshotMode, fault: dict[str, Any]
) -> None:
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add(**fault, **ORDER[mode])
    work(run)
    assert len(scene.exchanges(applied=False)) == 1
    replaced_once(scene, run)


@pytest.mark.parametrize(("mode", "fault"), both_ways(NOT_DONE_AND_NOT_HEARD))
def test_it_is_sent_again_only_after_the_first_was_proven_absent(
    scene: Scene, mode: SnapshotMode, fault: dict[str, Any]
) -> None:
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add(**fault, **ORDER[mode])
    work(run)
    assert order_of(run) == ["not_applied", "applied"]
    replaced_once(scene, run)


@BOTH
@pytest.mark.parametrize("status", [423, 429, 503])
def test_a_refused_order_is_sent_again_after_a_pause(scene: Scene, mode: SnapshotMode, status: int) -> None:
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add("status", status=status, times=2, **ORDER[mode])
    work(run)
    assert order_of(run) == ["refused", "refused", "applied"]
    replaced_once(scene, run)


@BOTH
def test_an_order_that_lands_after_the_look_up_is_adopted(scene: Scene, mode: SnapshotMode) -> None:
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add("apply_late", seconds=0.8, **ORDER[mode])
    work(run)
    assert len(scene.exchanges(applied=False)) == 1
    replaced_once(scene, run)


@BOTH
def test_an_answer_that_denies_what_was_done_is_not_believed(scene: Scene, mode: SnapshotMode) -> None:
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add("error_after_success", status=503, **ORDER[mode])
    work(run)
    assert len(scene.exchanges(applied=False)) == 1
    replaced_once(scene, run)


@BOTH
def test_an_order_denied_at_the_door_and_done_all_the_same_ends_with_a_person(scene: Scene, mode: SnapshotMode) -> None:
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add("error_after_success", status=423, **ORDER[mode])
    work(run)
    assert (run.state, run.halt_code) == ("halted", "effect_unclear")
    assert run.request is not None
    look_again(actor=scene.people.bob.actor, request_id=run.request.pk)
    work(run)
    assert run.state == "halted"
    assert order_of(run) == ["applied"]
    scene.branch.refresh_from_db()
    assert scene.branch.neon_branch_id != scene.sandbox.branch_id
    assert len(scene.exchanges(applied=False)) == 1
    scene.assert_invariants()


def test_a_denied_order_is_not_called_without_effect_when_neon_chose_another_name_for_what_it_replaced(
    scene: Scene, settings: Any
) -> None:
    settings.EXECUTION_RETRY_SECONDS = settings.EXECUTION_RETRY_LONGEST_SECONDS = 2.0
    run = scene.started(**scene.snapshot_wish(ONE_STEP))
    scene.sandbox.faults.add("error_after_success", status=423, **ORDER[ONE_STEP])
    advance(run.pk)
    assert order_of(run) == ["refused"]
    with scene.neon() as stranger:
        project_id = scene.sandbox.project_id
        latest = stranger.operations.list_since(project_id, scene.moment())
        stranger.operations.wait_for(project_id, [each.id for each in latest], deadline_seconds=5)
        stranger.branches.update(project_id, scene.sandbox.branch_id, name="main_old_2026")
    work(run)
    assert (run.state, run.halt_code) == ("halted", "effect_unclear")
    assert state_of(run) == RequestState.NEEDS_ATTENTION
    assert run.request is not None
    look_again(actor=scene.people.bob.actor, request_id=run.request.pk)
    work(run)
    assert order_of(run) == ["applied"]
    kept = OwnedBranch.objects.get(request=run.request, purpose="preserved")
    assert (kept.neon_branch_id, kept.name) == (scene.sandbox.branch_id, "main_old_2026")
    scene.assert_invariants()


@BOTH
def test_a_failed_operation_that_neon_then_finishes_is_no_failure(scene: Scene, mode: SnapshotMode) -> None:
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add("operation_fails", seconds=0.6, **ORDER[mode])
    work(run)
    replaced_once(scene, run)


@BOTH
def test_an_operation_that_stays_failed_ends_with_a_person_and_the_branch_where_it_was(
    scene: Scene, mode: SnapshotMode, settings: Any
) -> None:
    settings.EXECUTION_FAILED_GRACE_SECONDS = 0.5
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add("operation_fails", seconds=0.2, final=True, **ORDER[mode])
    work(run)
    assert (run.state, run.halt_code) == ("halted", "operations_failed")
    assert state_of(run) == RequestState.NEEDS_ATTENTION
    scene.branch.refresh_from_db()
    assert scene.branch.neon_branch_id == scene.sandbox.branch_id
    settings.EXECUTION_PATIENCE_SECONDS, settings.EXECUTION_BUDGET_SECONDS = 0.3, 1.0
    assert run.request is not None
    verify_again(actor=scene.people.bob.actor, request_id=run.request.pk)
    work(run)
    assert run.state == "halted"
    assert len(scene.exchanges(applied=False)) == 1
    scene.assert_invariants()


@BOTH
def test_slow_operations_are_waited_for(scene: Scene, mode: SnapshotMode, settings: Any) -> None:
    settings.EXECUTION_BUDGET_SECONDS = 4.5
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add("delay_operations", seconds=1.5, **ORDER[mode])
    work(run)
    replaced_once(scene, run)


@BOTH
def test_an_order_refused_for_too_long_ends_without_an_effect(scene: Scene, mode: SnapshotMode) -> None:
    body = Policy(required_checks=CHECKED, start_window_busy_seconds=1).to_json()
    PolicyVersion.objects.create(number=3, body=body, created_by_name="erin")
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add("status", status=423, times=None, **ORDER[mode])
    work(run)
    assert (run.state, run.outcome_code) == ("finished", "neon_busy")
    assert state_of(run) == RequestState.FAILED
    untouched(scene)


@pytest.mark.parametrize("path", READS.values(), ids=READS)
def test_a_question_without_an_answer_is_asked_again(scene: Scene, path: str) -> None:
    run = scene.started(**scene.snapshot_wish(PREVIEW_FIRST))
    scene.sandbox.faults.add("html", times=2, method="GET", path=path)
    work(run)
    replaced_once(scene, run)


COPY_FAULTS: dict[str, dict[str, Any]] = {
    "the connection closes": {"kind": "lose_answer"},
    "500 after success": {"kind": "error_after_success"},
    "500 and nothing done": {"kind": "status", "status": 500},
    "busy": {"kind": "status", "status": 423},
    "html after the work": {"kind": "html", "apply": True},
    "late": {"kind": "apply_late", "seconds": 0.8},
    "no endpoints": {"kind": "drop_fields", "fields": ["endpoints"]},
}


@pytest.mark.parametrize("fault", rest_by_soak(COPY_FAULTS, {"500 after success", "500 and nothing done", "late"}))
def test_one_copy_is_made_whatever_becomes_of_the_answer(scene: Scene, fault: dict[str, Any]) -> None:
    """Both copies that a run may need: the one to be promoted, which is gone, and the one to compare with."""
    request = scene.approved(**scene.snapshot_wish(PREVIEW_FIRST))
    with scene.neon() as stranger:
        stranger.branches.delete(scene.sandbox.project_id, OwnedBranch.objects.get(request=request).neon_branch_id)
    before = len([call for call in scene.sandbox.calls("POST", "/restore") if call["applied"]])
    run = scene.started(request)
    scene.sandbox.faults.add(times=1, **fault, **ORDER[ONE_STEP])
    while not scene.exchanges():
        advance_when_due(run)
    scene.sandbox.faults.add(times=1, **fault, **ORDER[ONE_STEP])
    work(run)
    replaced_once(scene, run)
    copies = [call for call in scene.sandbox.calls("POST", "/restore") if call["applied"]]
    assert len(copies) == before + 2


def advance_when_due(run: Execution) -> None:
    """One task; the runs of these tests never wait long."""
    Execution.objects.filter(pk=run.pk).update(next_attempt_at=None)
    advance(run.pk)
    run.refresh_from_db()
    assert run.state == "active", (run.outcome_code, run.halt_sentence)


def test_a_copy_that_fails_its_checks_is_not_promoted(scene: Scene) -> None:
    scene.branch.required_tables = ["public.visits", "public.no_such_table"]
    scene.branch.save()
    run = work(scene.started(**scene.snapshot_wish(PREVIEW_FIRST)))
    assert (run.state, run.outcome_code) == ("finished", "copy_not_good")
    assert state_of(run) == RequestState.APPROVED
    assert run.request is not None
    assert "The branch was not touched." in run.request.outcome_sentence
    untouched(scene)


def test_a_stranger_s_branch_with_the_branch_s_name_is_not_taken_for_the_restored_one(scene: Scene) -> None:
    """The order got lost without an effect, and somebody renamed branches meanwhile: a person decides."""
    run = scene.started(**scene.snapshot_wish(ONE_STEP))
    scene.sandbox.faults.add("status", status=500, **ORDER[ONE_STEP])
    advance(run.pk)
    assert order_of(run) == ["pending"]
    with scene.neon() as stranger:
        project_id = scene.sandbox.project_id
        change = stranger.branches.update(project_id, scene.sandbox.branch_id, name="main-2025")
        stranger.operations.wait_for(project_id, change.operation_ids, deadline_seconds=5)
        made = stranger.branches.create(project_id, name="main", parent_id=scene.sandbox.branch_id)
        stranger.operations.wait_for(project_id, made.operation_ids, deadline_seconds=5)
    work(run)
    assert (run.state, run.halt_code) == ("halted", "effect_unknown")
    assert state_of(run) == RequestState.NEEDS_ATTENTION
    assert ProtectedBranch.objects.get(pk=scene.branch.pk).neon_branch_id == scene.sandbox.branch_id
    assert scene.exchanges() == []


def test_the_name_of_the_replaced_branch_must_be_free(scene: Scene) -> None:
    """Neon would choose another name, and nobody would know what was kept."""
    wish = scene.snapshot_wish(ONE_STEP)
    with scene.neon() as stranger:
        project_id = scene.sandbox.project_id
        snapshot_id = wish["point"].snapshot_id
        made = stranger.snapshots.restore(
            project_id, snapshot_id, name="main (old)", target_branch_id=scene.sandbox.branch_id, finalize=False
        )
        stranger.operations.wait_for(project_id, made.operation_ids, deadline_seconds=5)
    run = work(scene.started(**wish))
    assert (run.state, run.outcome_code) == ("finished", "name_taken")
    assert scene.exchanges() == []


def test_every_call_of_the_run_is_told(scene: Scene) -> None:
    run = work(scene.started(**scene.snapshot_wish(PREVIEW_FIRST)))
    for intent in intents(run):
        types = LedgerEvent.objects.filter(members__data__call_id=str(intent.http_request_id))
        assert {"execution.intent", "neon.call", "execution.submitted"} <= set(types.values_list("type", flat=True))
