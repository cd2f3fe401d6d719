"""A worker is killed while it makes a safety copy or removes one; the next one goes on, and once is once."""

from __future__ import annotations

import datetime as dt
import signal
from typing import Any

import pytest

from backups.domain.safety_copy import CopyKind, CopyState, Origin
from backups.models import Execution, SafetyCopy
from backups.selectors.clock import database_now
from backups.services.execution.safety_copy_steps import STEPS
from backups.services.safety_copy.ask import CopyWish, ask_for_safety_copy
from backups.services.safety_copy.prune import prune_due_copies
from tests.services.execution.nursery import Nursery
from tests.services.execution.scene import Scene, work
from tests.services.execution.test_crash_points import let_the_lease_end, nursery, order
from tests.services.safety_copy.test_making import ORDER, orders

__all__ = ["nursery", "order"]

SNAPSHOT, BRANCH = CopyKind.SNAPSHOT, CopyKind.BRANCH
LOST: dict[str, Any] = {"kind": "lose_answer"}
NOT_DONE: dict[str, Any] = {"kind": "status", "status": 500}

PLACES: list[tuple[CopyKind, str, dict[str, Any] | None]] = [
    *((SNAPSHOT, f"before_step_commit@{step}", None) for step in STEPS),
    (SNAPSHOT, "after_intent", None),
    (SNAPSHOT, "after_answer", None),
    (SNAPSHOT, "after_lost_answer", LOST),
    (SNAPSHOT, "after_absence", NOT_DONE),
    (BRANCH, "after_answer", None),
    (BRANCH, "after_lost_answer", LOST),
]


def asked(scene: Scene, kind: CopyKind) -> SafetyCopy:
    return ask_for_safety_copy(
        actor=scene.people.alice.actor,
        wish=CopyWish(branch_id=scene.branch.pk, reason="migration 0042", kind=kind),
        origin=Origin.PAGE,
    )


def kill_at(nursery: Nursery, order: dict[str, Any], run: Execution, place: str) -> None:
    nursery.begin(**(order | {"execution_id": run.pk, "environment": {"CRASH_AT": place}}))
    nursery.pid()
    assert nursery.end() == -signal.SIGKILL, "the worker never came to that place"


@pytest.mark.parametrize(("kind", "place", "fault"), PLACES, ids=[f"{kind}: {place}" for kind, place, _ in PLACES])
def test_a_worker_killed_here_is_replaced_and_one_copy_made(
    scene: Scene,
    nursery: Nursery,
    order: dict[str, Any],
    kind: CopyKind,
    place: str,
    fault: dict[str, Any] | None,
) -> None:
    copy = asked(scene, kind)
    run = Execution.objects.get(safety_copy=copy)
    if fault is not None:
        scene.sandbox.faults.add(**fault, **ORDER[kind])
    kill_at(nursery, order, run, place)
    scene.assert_invariants(at_rest=False)
    if fault is None:
        let_the_lease_end(run)
    work(run)
    copy.refresh_from_db()
    assert (run.outcome_code, copy.state, len(orders(scene.sandbox, kind))) == ("made", CopyState.MADE, 1)
    scene.assert_invariants()


@pytest.mark.parametrize("place", ["after_intent", "after_answer"])
def test_a_worker_killed_while_it_removes_one_is_replaced(
    scene: Scene, nursery: Nursery, order: dict[str, Any], place: str
) -> None:
    copy = asked(scene, SNAPSHOT)
    work(Execution.objects.get(safety_copy=copy))
    past = database_now() - dt.timedelta(minutes=1)
    SafetyCopy.objects.filter(pk=copy.pk).update(expires_at=past, created_at=past - dt.timedelta(days=7))
    assert prune_due_copies() == 1
    run = Execution.objects.get(safety_copy=copy, purpose="prune")
    kill_at(nursery, order, run, place)
    let_the_lease_end(run)
    work(run)
    copy.refresh_from_db()
    assert copy.state == CopyState.GONE
    assert len([call for call in scene.sandbox.calls("DELETE") if call["applied"]]) == 1
    scene.assert_invariants()
