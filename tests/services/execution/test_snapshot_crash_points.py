"""A worker is killed in the middle of a restore from a snapshot; the next one goes on, and once is once."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from backups.domain.restore import SnapshotMode
from backups.services.execution import restore_steps
from tests.services.execution.nursery import Nursery
from tests.services.execution.scene import Scene, work
from tests.services.execution.test_crash_points import let_the_lease_end, nursery, order
from tests.services.execution.test_snapshot_faults import ORDER, order_of, replaced_once

__all__ = ["nursery", "order"]

ONE_STEP, PREVIEW_FIRST = SnapshotMode.ONE_STEP, SnapshotMode.PREVIEW_FIRST
LOST: dict[str, Any] = {"kind": "lose_answer"}
NOT_DONE: dict[str, Any] = {"kind": "status", "status": 500}

#: Mode, place, and what Neon does to the order, so that the worker gets there at all.
PLACES: list[tuple[SnapshotMode, str, dict[str, Any] | None]] = [
    *((PREVIEW_FIRST, f"before_step_commit@{step}", None) for step in restore_steps.STEPS | restore_steps.COPY_STEPS),
    (PREVIEW_FIRST, "after_step_commit@wait", None),
    (PREVIEW_FIRST, "after_intent", None),
    (PREVIEW_FIRST, "after_answer", None),
    (PREVIEW_FIRST, "after_adoption", LOST),
    (ONE_STEP, "before_intent_commit", None),
    (ONE_STEP, "after_intent", None),
    (ONE_STEP, "after_answer", None),
    (ONE_STEP, "after_settled", None),
    (ONE_STEP, "after_lost_answer", LOST),
    (ONE_STEP, "after_absence", NOT_DONE),
    (ONE_STEP, "before_step_commit@wait", None),
    (ONE_STEP, "after_step_commit@wait", None),
]
#: Around the order itself; at the others the next worker only reads again, and `make soak` tries them.
ALWAYS = {"after_intent", "after_answer", "after_lost_answer", "after_absence", "after_adoption"}
EACH_PLACE = [
    pytest.param(*each, id=f"{each[0]}: {each[1]}", marks=() if each[1] in ALWAYS else pytest.mark.soak)
    for each in PLACES
]


@pytest.mark.parametrize(("mode", "place", "fault"), EACH_PLACE)
def test_a_worker_killed_here_is_replaced_and_the_branch_replaced_once(
    scene: Scene,
    nursery: Nursery,
    order: dict[str, Any],
    mode: SnapshotMode,
    place: str,
    fault: dict[str, Any] | None,
) -> None:
    run = scene.started(**scene.snapshot_wish(mode))
    if fault is not None:
        scene.sandbox.faults.add(**fault, **ORDER[mode])
    nursery.begin(**(order | {"execution_id": run.pk, "environment": {"CRASH_AT": place}}))
    nursery.pid()
    assert nursery.end() == -signal.SIGKILL, "the worker never came to that place"
    scene.assert_invariants(at_rest=False)
    if fault is None:
        let_the_lease_end(run)
    work(run)
    replaced_once(scene, run)
    assert order_of(run).count("applied") == 1
