"""The real worker, killed in every way there is. Whatever dies: tasks are run again, and nothing is left behind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial

import psutil
import pytest
from django_q.models import OrmQ
from django_q.tasks import async_task

from backups.models import WorkerHeartbeat
from tests.support.database import OwnDatabase
from tests.support.worker import FAST, RunningWorker, running_worker, wait_until

pytestmark = pytest.mark.acceptance

WORKERS = 2


def noted(name: str) -> bool:
    return WorkerHeartbeat.objects.filter(node=f"note:{name}").exists()


def send(name: str) -> None:
    async_task("tests.support.worker.note", name)


def wait_until_it_runs(worker: RunningWorker, name: str = "first") -> None:
    send(name)
    wait_until(lambda: noted(name), f"the task {name!r} is run")
    worker.everything()


def are_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() for process in processes)


def is_whole(worker: RunningWorker) -> bool:
    try:
        return len(worker.workers()) == WORKERS and bool(worker.everything())
    except (ValueError, psutil.NoSuchProcess):  # one of them is just being replaced
        return False


def kill_an_idle_worker(worker: RunningWorker) -> None:
    """Left alone, django-q would never run a task again: the dead worker took the queue's lock with it."""
    worker.workers()[0].kill()


def kill_both_workers(worker: RunningWorker) -> None:
    for process in worker.workers():
        process.kill()


ACCIDENTS: dict[str, Callable[[RunningWorker], None]] = {
    "an idle worker was killed": kill_an_idle_worker,
    "both workers were killed": kill_both_workers,
    "the sentinel process was killed": lambda worker: worker.sentinel().kill(),
    "the main process was killed": lambda worker: worker.main().kill(),
}


def test_it_runs_tasks_and_survives_one_accident_after_another(worker, own_database: OwnDatabase, as_superuser):
    """One worker meets them all: a start takes seconds, and what an accident leaves behind must not matter later."""
    wait_until_it_runs(worker)
    wait_until(lambda: WorkerHeartbeat.objects.exclude(node__startswith="note:").exists(), "a canary is run")

    def cut_all_sessions(_: RunningWorker) -> None:
        cut = as_superuser(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND application_name = %s",
            own_database.name,
            "carecircle-worker",
        )
        assert len(cut) >= 3

    for name, accident in (ACCIDENTS | {"every database session was cut": cut_all_sessions}).items():
        orphans = [worker.sentinel(), *worker.pool()]
        accident(worker)
        send(name)
        wait_until(partial(noted, name), f"a task is run after {name}")
        if "process" in name:
            wait_until(partial(are_gone, orphans), f"the old pool is gone: {name}")
        # The next accident is to meet a cluster that is whole.
        wait_until(partial(is_whole, worker), f"the cluster is whole again after {name}")


def test_a_task_that_was_running_is_run_again(worker):
    wait_until_it_runs(worker)
    async_task("tests.support.worker.slow_note", "slow", 1.5)
    wait_until(lambda: noted("slow began"), "the slow task has begun")

    worker.sentinel().kill()

    wait_until(lambda: noted("slow ended"), "the interrupted task is run again")


def test_a_killed_supervisor_takes_everything_along(worker):
    wait_until_it_runs(worker)

    worker.process.kill()

    worker.wait_until_nothing_runs()


def test_supervisor_and_main_process_killed_at_once(worker):
    wait_until_it_runs(worker)

    main = worker.main()
    worker.process.kill()
    main.kill()

    worker.wait_until_nothing_runs()


def test_sigterm_lets_a_task_finish(worker):
    wait_until_it_runs(worker)
    async_task("tests.support.worker.slow_note", "slow", 1.5)
    wait_until(lambda: noted("slow began"), "the slow task has begun")

    worker.process.send_signal(signal.SIGTERM)

    assert worker.process.wait(20) == 0
    assert noted("slow ended")
    worker.wait_until_nothing_runs()
    assert "tests.support.worker.slow_note" not in [task.func() for task in OrmQ.objects.all()]


def test_a_second_sigterm_does_not_wait(worker):
    wait_until_it_runs(worker)
    async_task("tests.support.worker.slow_note", "slow", 30)
    wait_until(lambda: noted("slow began"), "the slow task has begun")

    worker.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "Stopping" in worker.log, "the first signal was heard")
    worker.process.send_signal(signal.SIGTERM)

    assert worker.process.wait(5) == 0
    worker.wait_until_nothing_runs()


def test_it_stops_although_the_cluster_hangs(own_database: OwnDatabase, tmp_path):
    with running_worker(own_database, tmp_path, WORKER_WATCHDOG_SECONDS="300", WORKER_STOP_SECONDS="1") as worker:
        wait_until_it_runs(worker)
        for process in worker.workers():
            process.kill()

        worker.process.send_signal(signal.SIGTERM)

        assert worker.process.wait(10) == 0
        worker.wait_until_nothing_runs()


def test_workers_busy_for_long_are_not_taken_for_dead(own_database: OwnDatabase, tmp_path):
    # Two seconds longer than the watchdog waits for idle ones, which a loaded machine must be able to keep.
    longer = float(FAST["WORKER_WATCHDOG_SECONDS"]) + 2
    with running_worker(own_database, tmp_path) as worker:
        wait_until_it_runs(worker)
        main = worker.main().pid
        for name in ("one", "two"):
            async_task("tests.support.worker.slow_note", name, longer)

        wait_until(lambda: noted("one ended") and noted("two ended"), "both long tasks have ended")

        assert worker.main().pid == main
