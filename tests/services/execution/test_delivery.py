"""Tasks come twice, late, at once, or not at all; the database goes away in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django_q.models import OrmQ

from backups.domain.execution import Purpose, Step
from backups.models import Execution, Intent
from backups.neon.client import NeonClient
from backups.services.execution import intent_records
from backups.services.execution import intents as intents_module
from backups.services.execution.advance import advance
from backups.services.execution.claim import FencedOff, claim_execution, lock_run
from backups.services.execution.finish import Pass, finish_step
from backups.services.execution.results import Advance
from backups.services.execution.wake import enqueue_due_executions
from backups.services.neon_access import CallInsideTransaction, client_for
from tests.services.execution.scene import Scene, intents, work
from tests.support.database import OwnDatabase


def test_the_task_is_there_only_if_the_run_is(scene: Scene) -> None:
    tasks = OrmQ.objects.count()
    with transaction.atomic():
        scene.started()
        transaction.set_rollback(True)
    assert OrmQ.objects.count() == tasks
    assert not Execution.objects.filter(purpose=Purpose.RESTORE).exists()


def test_a_task_carries_the_number_of_the_run_and_nothing_else(scene: Scene) -> None:
    run = scene.started()
    newest = OrmQ.objects.latest("pk").task
    assert (newest["func"], newest["args"]) == ("backups.tasks.advance", (run.pk,))
    assert not newest.get("kwargs")


def test_many_copies_of_a_task_at_once_restore_once(scene: Scene) -> None:
    run = scene.started()
    scene.sandbox.settings(operation_seconds=0.3)

    def deliver() -> None:
        advance(run.pk)
        connection.close()

    threads = [threading.Thread(target=deliver) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    assert len(scene.attempts()) == 1
    scene.assert_invariants()


def test_late_tasks_of_a_finished_run_do_nothing(scene: Scene) -> None:
    run = work(scene.started())
    calls = len(scene.sandbox.calls())
    advance(run.pk)
    advance(run.pk)
    assert len(scene.sandbox.calls()) == calls


def test_a_run_that_waits_is_not_hurried_by_a_task_too_many(scene: Scene) -> None:
    run = scene.started()
    scene.sandbox.faults.add("status", status=429, retry_after=30, method="POST", path="/restore$")
    advance(run.pk)
    run.refresh_from_db()
    assert run.next_attempt_at is not None
    for _ in range(5):
        advance(run.pk)
    assert len(scene.attempts()) == 1


def test_a_lease_that_holds_keeps_everybody_else_away(scene: Scene) -> None:
    run = scene.started()
    first = claim_execution(run.pk)
    assert first is not None
    assert claim_execution(run.pk) is None


def test_who_was_replaced_can_write_nothing(scene: Scene) -> None:
    run = scene.started()
    first = claim_execution(run.pk)
    assert first is not None
    Execution.objects.filter(pk=run.pk).update(lease_until=scene.moment())
    second = claim_execution(run.pk)
    assert second is not None
    assert (second.fence, second.was_abandoned, second.attempts) == (first.fence + 1, True, 1)
    with pytest.raises(FencedOff):
        finish_step(first, Pass("preflight", first.now()), Advance(to=Step.SUBMIT), keep_lease=False)
    with pytest.raises(FencedOff), transaction.atomic():
        lock_run(first)
    run.refresh_from_db()
    assert run.step == "preflight"


def test_an_order_is_not_begun_on_a_lease_that_could_end_during_the_call(scene: Scene, settings: Any) -> None:
    settings.EXECUTION_LEASE_SECONDS = settings.NEON_CALL_DEADLINE_SECONDS - 0.1
    run = scene.started()
    advance(run.pk)
    assert scene.attempts() == []
    assert intents(run) == []


def test_a_worker_that_slept_between_intent_and_order_does_not_send_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused machine wakes up after its time: by then another worker may have sent the order."""
    run = scene.started()
    written = intent_records.write_intent
    clock = [0.0]

    def slow(*args: Any, **options: Any) -> Intent:
        intent = written(*args, **options)
        clock[0] += 60
        return intent

    monkeypatch.setattr(intents_module, "write_intent", slow)
    monkeypatch.setattr(intents_module, "_clock", lambda: clock[0])
    advance(run.pk)
    assert scene.attempts() == []
    assert [intent.outcome for intent in intents(run)] == ["refused"]
    monkeypatch.undo()
    work(run)
    assert len(scene.restores()) == 1
    scene.assert_invariants()


def test_lost_tasks_and_expired_leases_are_enqueued_again_and_only_once(scene: Scene, settings: Any) -> None:
    run = scene.started()
    settings.EXECUTION_REQUEUE_SECONDS = 60
    assert enqueue_due_executions() == 0
    settings.EXECUTION_REQUEUE_SECONDS = 0.001
    assert enqueue_due_executions() == 1
    settings.EXECUTION_REQUEUE_SECONDS = 60
    claim = claim_execution(run.pk)
    assert claim is not None
    assert enqueue_due_executions() == 0
    Execution.objects.filter(pk=run.pk).update(lease_until=scene.moment())
    assert (enqueue_due_executions(), enqueue_due_executions()) == (1, 0)


@contextmanager
def killed_when(statement: str, own_database: OwnDatabase) -> Iterator[list[int]]:
    """Ends this process's session in the middle of the transaction that says `statement`, the first time."""
    killed: list[int] = []

    def watch(execute: Any, query: str, parameters: Any, many: bool, context: Any) -> Any:
        if statement in query and not killed:
            with connection.connection.cursor() as cursor:
                (pid,) = cursor.execute("SELECT pg_backend_pid()").fetchone()
            killed.append(pid)
            with psycopg.connect(own_database.superuser_url, autocommit=True) as administrator:
                administrator.execute("SELECT pg_terminate_backend(%s)", [pid])
        return execute(query, parameters, many, context)

    with connection.execute_wrapper(watch):
        yield killed


@pytest.mark.parametrize(
    "statement",
    [
        'INSERT INTO "backups_intent"',
        'UPDATE "backups_intent" SET "outcome"',
        'INSERT INTO "backups_executionstep"',
        "INSERT INTO backups_ledgerevent",
        "WITH candidate",
        'UPDATE "backups_checkresult"',
    ],
)
def test_a_database_session_killed_in_mid_transaction_costs_nothing(
    scene: Scene, own_database: OwnDatabase, statement: str
) -> None:
    run = scene.started()
    with killed_when(statement, own_database) as killed:
        # Before it holds the run, the task just fails.
        with suppress(OperationalError):
            advance(run.pk)
        connection.close()
    assert killed, "nothing said that"
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    assert len(scene.restores()) == 1
    scene.assert_invariants()


def test_a_step_that_always_fails_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round passes the last look again; that must not count as getting on."""
    run = scene.started()

    def broken(*args: Any, **options: Any) -> Intent:
        raise ZeroDivisionError

    monkeypatch.setattr(intents_module, "write_intent", broken)
    work(run)
    assert (run.state, run.outcome_code) == ("finished", "portal_error")
    assert scene.attempts() == []
    scene.assert_invariants()


def test_neon_is_not_called_inside_a_transaction(scene: Scene) -> None:
    with transaction.atomic(), pytest.raises(CallInsideTransaction):
        client_for(scene.project, correlation="test")
    assert isinstance(client_for(scene.project, correlation="test"), NeonClient)
