"""A worker is killed at each place where the code says that it could die; the next one goes on, and once is once."""

from __future__ import annotations

import ast
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from backups.domain.execution import Step
from backups.domain.restore import RequestState
from backups.models import Execution, LedgerEvent
from backups.selectors.clock import database_now
from backups.services.execution import restore_steps
from tests.services.execution.nursery import Nursery, running_nursery
from tests.services.execution.scene import Scene, intents, work
from tests.support.database import OwnDatabase

RESTORE: dict[str, Any] = {"method": "POST", "path": "/restore$"}
LOST: dict[str, Any] = {"kind": "lose_answer"} | RESTORE
NOT_DONE: dict[str, Any] = {"kind": "status", "status": 500} | RESTORE

#: Place -> what Neon does to the order, so that the worker gets there at all.
PLACES: dict[str, dict[str, Any] | None] = {
    "after_claim": None,
    "before_intent_commit": None,
    "after_intent": None,
    "after_answer": None,
    "after_settled": None,
    "before_check_commit": None,
    "after_lost_answer": LOST,
    "before_look_up": LOST,
    "after_look_up": LOST,
    "after_adoption": LOST,
    "after_absence": NOT_DONE,
    **{f"{name}@{step}": None for name in ("before_step_commit", "after_step_commit") for step in restore_steps.STEPS},
}
#: Deaths between steps that only read are tried by `make soak`: what the next worker does there is to read again.
ONLY_READS = {f"{when}_step_commit@{step}" for when in ("before", "after") for step in (Step.PREFLIGHT, Step.CONNECT)}
ONLY_READS |= {f"before_step_commit@{step}" for step in (Step.VERIFY, Step.FINISH)}
EACH_PLACE = [pytest.param(place, marks=pytest.mark.soak if place in ONLY_READS else ()) for place in PLACES]
KILLABLE = {
    "NEON_CALL_DEADLINE_SECONDS": 0.8,
    "EXECUTION_LEASE_SECONDS": 2.0,
    "EXECUTION_SETTLE_SECONDS": 0.2,
}


def named_in_the_source() -> set[str]:
    """The first argument of every call of crash_point in the worker's runs; sealer and exports have their own tests."""
    found = set()
    services = Path(django_settings.BASE_DIR) / "backups" / "services"
    others = {services / "sealing", services / "export"}
    for path in (each for each in services.rglob("*.py") if not others & set(each.parents)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "crash_point":
                assert isinstance(node.args[0], ast.Constant), f"{path}: a crash point is named by a literal"
                found.add(str(node.args[0].value))
    return found


def test_every_place_named_in_the_source_is_tried() -> None:
    assert {place.partition("@")[0] for place in PLACES} == named_in_the_source()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with running_nursery() as running:
        yield running


@pytest.fixture
def order(own_database: OwnDatabase, scene: Scene, settings: Any) -> dict[str, Any]:
    """What a worker is told; its intervals are the test's own."""
    for name, value in KILLABLE.items():
        setattr(settings, name, value)
    from tests.services.execution.conftest import FAST

    return {"database_url": own_database.url, "settings": FAST | KILLABLE, "environment": {}}


@pytest.mark.parametrize("place", EACH_PLACE)
def test_a_worker_killed_here_is_replaced_and_the_branch_restored_once(
    scene: Scene, nursery: Nursery, order: dict[str, Any], place: str
) -> None:
    run = scene.started()
    fault = PLACES[place]
    if fault is not None:
        scene.sandbox.faults.add(**fault)
    nursery.begin(**(order | {"execution_id": run.pk, "environment": {"CRASH_AT": place}}))
    nursery.pid()
    assert nursery.end() == -signal.SIGKILL, "the worker never came to that place"
    scene.assert_invariants(at_rest=False)
    if fault is None:
        let_the_lease_end(run)
    work(run)
    _restored_once(scene, run)


def let_the_lease_end(run: Execution) -> None:
    """As if its time had passed; where a call may be under way the tests wait for real."""
    Execution.objects.filter(pk=run.pk, lease_until__isnull=False).update(lease_until=database_now())


def test_a_worker_killed_while_neon_works_is_replaced(scene: Scene, nursery: Nursery, order: dict[str, Any]) -> None:
    """The order is on its way when the worker dies: nobody hears the answer."""
    run = scene.started()
    scene.sandbox.faults.add("hang", apply=True, seconds=5, **RESTORE)
    nursery.begin(**(order | {"execution_id": run.pk}))
    pid = nursery.pid()
    deadline = time.monotonic() + 30
    while not scene.restores():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    assert nursery.end() == -signal.SIGKILL
    work(run)
    _restored_once(scene, run)
    assert LedgerEvent.objects.filter(type="execution.adopted").count() == 1


def test_a_run_that_kills_every_worker_is_handed_to_a_person(
    scene: Scene, nursery: Nursery, order: dict[str, Any], settings: Any
) -> None:
    settings.EXECUTION_ABANDONED_LIMIT = 1
    run = scene.started()
    poisoned = {"CRASH_AT": f"before_step_commit@{Step.WAIT}"}
    for _ in range(2):
        nursery.begin(**(order | {"execution_id": run.pk, "environment": poisoned}))
        nursery.pid()
        assert nursery.end() == -signal.SIGKILL
    work(run)
    assert (run.state, run.halt_code) == ("halted", "worker_lost")
    assert run.request is not None
    run.request.refresh_from_db()
    assert run.request.state == RequestState.NEEDS_ATTENTION
    assert len(scene.restores()) == 1
    scene.assert_invariants()


def _restored_once(scene: Scene, run: Execution) -> None:
    assert run.outcome_code == "completed", (run.state, run.halt_sentence)
    assert len(scene.restores()) == 1
    assert [intent.outcome for intent in intents(run)].count("applied") == 1
    scene.assert_invariants()
