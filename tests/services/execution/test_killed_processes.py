"""The real worker is killed, process by process, while Neon is in the middle of the restore."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backups.domain.restore import RequestState
from backups.models import Execution
from tests.services.execution.conftest import FAST
from tests.services.execution.scene import Scene
from tests.support.database import OwnDatabase
from tests.support.worker import RunningWorker, running_worker, wait_until

pytestmark = pytest.mark.acceptance

#: In the order that the start-up checks demand: budget < task < lease.
INTERVALS = {name: str(value) for name, value in FAST.items()} | {
    "EXECUTION_LEASE_SECONDS": "10",
    "EXECUTION_BUDGET_SECONDS": "4",
    "EXECUTION_PATIENCE_SECONDS": "60",
    "EXECUTION_CONNECT_SECONDS": "30",
    "EXECUTION_REQUEUE_SECONDS": "1",
    "TASK_TIMEOUT_SECONDS": "6",
}

VICTIMS: dict[str, Callable[[RunningWorker], psutil.Process]] = {
    "one worker": lambda worker: worker.workers()[0],
    "the other worker": lambda worker: worker.workers()[1],
    "sentinel": RunningWorker.sentinel,
    "main process": RunningWorker.main,
    "supervisor": lambda worker: psutil.Process(worker.process.pid),
}


def is_completed(run: Execution) -> bool:
    assert run.request is not None
    run.request.refresh_from_db()
    assert run.request.state != RequestState.NEEDS_ATTENTION, run.request.outcome_sentence
    return run.request.state == RequestState.COMPLETED


#: The other three die in `make soak`: each costs a start of the worker and a lease that has to end.
ALWAYS = {"one worker", "supervisor"}
EACH_VICTIM = [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.soak) for name in sorted(VICTIMS)]


@pytest.mark.parametrize("victim", EACH_VICTIM)
def test_the_request_still_completes_with_exactly_one_restore(
    scene: Scene, own_database: OwnDatabase, tmp_path: Path, victim: str
) -> None:
    scene.sandbox.settings(operation_seconds=1.0)
    run = scene.started()
    with running_worker(own_database, tmp_path, **INTERVALS) as worker:
        wait_until(scene.attempts, "Neon was asked to restore")
        worker.everything()

        VICTIMS[victim](worker).kill()

        if victim == "supervisor":
            worker.wait_until_nothing_runs()
            with running_worker(own_database, tmp_path, **INTERVALS):
                wait_until(lambda: is_completed(run), "the request is completed", seconds=90)
        else:
            wait_until(lambda: is_completed(run), "the request is completed", seconds=90)
    worker.wait_until_nothing_runs()

    assert len(scene.attempts()) == 1
    assert len(scene.restores()) == 1
    scene.assert_invariants()
