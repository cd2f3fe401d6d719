"""Neon took the order; its operations do not go as hoped."""

from __future__ import annotations

from typing import Any

from backups.domain.restore import RequestState
from tests.services.execution.scene import Scene, work

RESTORE: dict[str, Any] = {"method": "POST", "path": "/restore$"}


def test_a_failed_operation_that_neon_then_finishes_is_no_failure(scene: Scene) -> None:
    run = scene.started()
    scene.sandbox.faults.add("operation_fails", seconds=0.6, **RESTORE)
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    scene.assert_invariants()


def test_an_operation_that_stays_failed_ends_with_a_person(scene: Scene, settings: Any) -> None:
    settings.EXECUTION_FAILED_GRACE_SECONDS = 0.5
    run = scene.started()
    scene.sandbox.faults.add("operation_fails", seconds=0.2, final=True, **RESTORE)
    work(run)
    assert (run.state, run.halt_code) == ("halted", "operations_failed")
    assert run.request is not None
    run.request.refresh_from_db()
    assert run.request.state == RequestState.NEEDS_ATTENTION
    scene.assert_invariants()


def test_slow_operations_are_waited_for_across_tasks(scene: Scene, settings: Any) -> None:
    settings.EXECUTION_BUDGET_SECONDS = 4.5
    run = scene.started()
    scene.sandbox.faults.add("delay_operations", seconds=1.5, **RESTORE)
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    waits = [step for step in run.steps.all() if step.step == "wait"]
    assert {step.result for step in waits} == {"again", "advance"}
    scene.assert_invariants()


def test_operations_that_neon_no_longer_knows_leave_the_branch_to_tell(scene: Scene) -> None:
    run = scene.started()
    scene.sandbox.faults.add("status", status=404, times=None, method="GET", path="/operations/")
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    scene.assert_invariants()


def test_operations_that_never_end_are_handed_to_a_person(scene: Scene, settings: Any) -> None:
    settings.EXECUTION_PATIENCE_SECONDS = 0.3
    settings.EXECUTION_BUDGET_SECONDS = 4.2
    run = scene.started()
    scene.sandbox.faults.add("delay_operations", seconds=60, **RESTORE)
    work(run)
    assert (run.state, run.halt_code) == ("halted", "operations_stuck")
    assert run.waiting_for == ""
    scene.assert_invariants()
