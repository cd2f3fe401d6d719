"""The real worker, killed in every way there is. Whatever dies: tasks are run again, and nothing is left behind."""

from __future__ import annotations

import signal

import pytest
from django_q.models import OrmQ
from django_q.tasks import async_task

from backups.models import WorkerHeartbeat
from tests.support.database import OwnDatabase
from tests.support.worker import FAST, RunningWorker, running_worker, wait_until

pytestmark = pytest.mark.acceptance


def noted(name: str) -> bool:
    return WorkerHeartbeat.objects.filter(node=f"note:{name}").exists()


def send(name: str) -> None:
    async_task("tests.support.worker.note", name)


def wait_until_it_runs(worker: RunningWorker, name: str = "first") -> None:
    send(name)
    wait_until(lambda: noted(name), f"the task {name!r} is run")
    worker.everything()


def test_it_runs_tasks_and_shows_that_it_lives(worker):
    wait_until_it_runs(worker)

    wait_until(lambda: WorkerHeartbeat.objects.exclude(node__startswith="note:").exists(), "a canary is run")


def test_a_killed_idle_worker_does_not_hang_the_queue(worker):
    """Left alone, django-q would never run a task again: the dead worker took the queue's lock with it."""
    wait_until_it_runs(worker)

    worker.workers()[0].kill()
    send("second")

    wait_until(lambda: noted("second"), "a task is run after an idle worker was killed")


def test_both_idle_workers_killed(worker):
    wait_until_it_runs(worker)

    for process in worker.workers():
        process.kill()
    send("second")

    wait_until(lambda: noted("second"), "a task is run after both workers were killed")


def test_a_killed_sentinel_is_replaced_and_leaves_no_orphan(worker):
    wait_until_it_runs(worker)
    orphans = worker.pool()

    worker.sentinel().kill()
    send("second")

    wait_until(lambda: noted("second"), "a task is run after the sentinel was killed")
    wait_until(lambda: not any(process.is_running() for process in orphans), "the old pool is gone")


def test_a_task_that_was_running_is_run_again(worker):
    wait_until_it_runs(worker)
    async_task("tests.support.worker.slow_note", "slow", 1.5)
    wait_until(lambda: noted("slow began"), "the slow task has begun")

    worker.sentinel().kill()

    wait_until(lambda: noted("slow ended"), "the interrupted task is run again")


def test_it_survives_the_loss_of_every_database_session(worker, own_database: OwnDatabase, as_superuser):
    wait_until_it_runs(worker)

    cut = as_superuser(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND application_name = %s",
        own_database.name,
        "carecircle-worker",
    )
    assert len(cut) >= 3
    send("second")

    wait_until(lambda: noted("second"), "a task is run after all sessions were cut")


def test_a_killed_main_process_is_replaced_and_leaves_no_orphan(worker):
    wait_until_it_runs(worker)
    orphans = [worker.sentinel(), *worker.pool()]

    worker.main().kill()
    send("second")

    wait_until(lambda: noted("second"), "a task is run after the main process was killed")
    wait_until(lambda: not any(process.is_running() for process in orphans), "the old cluster is gone")


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
