"""The real worker is killed in the middle of a restore, in every part of it. The restore still happens exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django_q.models import OrmQ
from django_q.tasks import async_task

from backups.domain.restore import RequestState
from backups.models import RestoreRequest, WorkerHeartbeat
from tests.factories import People
from tests.services.execution.conftest import FAST, client_database_url
from tests.services.execution.scene import Scene, opened_scene
from tests.support.database import OwnDatabase
from tests.support.worker import RunningWorker, running_worker, wait_until

pytestmark = pytest.mark.acceptance

__all__ = ["client_database_url"]

#: Neon works for so long that the kill falls into the middle, and a dead worker's lease ends soon after.
OPERATION_SECONDS = 2.0
ENVIRONMENT = {name: str(value) for name, value in FAST.items()} | {
    "TASK_TIMEOUT_SECONDS": "7",
    "EXECUTION_BUDGET_SECONDS": "4",
    "EXECUTION_LEASE_SECONDS": "11",
    "EXECUTION_PATIENCE_SECONDS": "60",
    "EXECUTION_REQUEUE_SECONDS": "1",
    "EXECUTION_CONNECT_SECONDS": "30",
}


@pytest.fixture
def scene(own_database: OwnDatabase, client_database_url: str) -> Iterator[Scene]:
    with opened_scene(client_database_url, People()) as opened:
        yield opened
        opened.assert_invariants()


@pytest.fixture
def worker(own_database: OwnDatabase, scene: Scene, tmp_path: Path) -> Iterator[RunningWorker]:
    with running_worker(own_database, tmp_path, **ENVIRONMENT) as running:
        async_task("tests.support.worker.note", "ready")
        wait_until(lambda: WorkerHeartbeat.objects.filter(node="note:ready").exists(), "a first task is run")
        running.everything()
        yield running


def started(scene: Scene) -> RestoreRequest:
    """A restore that the worker has begun and that Neon is working on."""
    request = scene.approved()
    OrmQ.objects.all().delete()
    scene.sandbox.settings(operation_seconds=OPERATION_SECONDS)
    scene.started(request)
    wait_until(scene.restores, "Neon has taken the order")
    return request


def wait_until_done(scene: Scene, request: RestoreRequest) -> None:
    def is_done() -> bool:
        request.refresh_from_db()
        return request.state not in {RequestState.APPROVED, RequestState.RUNNING}

    wait_until(is_done, "the restore is over", seconds=90)
    assert request.state == RequestState.COMPLETED, request.outcome_sentence
    assert len(scene.restores()) == len(scene.attempts()) == 1


def kill_all_workers(worker: RunningWorker) -> None:
    for process in worker.workers():
        process.kill()


VICTIMS: dict[str, Callable[[RunningWorker], None]] = {
    "the workers": kill_all_workers,
    "the sentinel": lambda worker: worker.sentinel().kill(),
}


@pytest.mark.parametrize("kill", VICTIMS.values(), ids=VICTIMS)
def test_a_part_of_the_worker_dies_in_mid_restore(
    scene: Scene, worker: RunningWorker, kill: Callable[[RunningWorker], None]
) -> None:
    request = started(scene)
    worker.everything()
    kill(worker)
    wait_until_done(scene, request)


def test_an_idle_worker_dies_before_the_restore(scene: Scene, worker: RunningWorker) -> None:
    worker.everything()
    worker.workers()[0].kill()
    wait_until_done(scene, started(scene))


def test_the_supervisor_dies_in_mid_restore_and_a_new_one_goes_on(
    scene: Scene, worker: RunningWorker, own_database: OwnDatabase, tmp_path: Path
) -> None:
    request = started(scene)
    worker.everything()
    worker.process.kill()
    worker.process.wait()
    worker.wait_until_nothing_runs()
    with running_worker(own_database, tmp_path, **ENVIRONMENT) as successor:
        wait_until_done(scene, request)
        successor.everything()
    successor.wait_until_nothing_runs()
