"""The only door to the task queue. A task carries the id of a run and nothing else."""

from __future__ import annotations

from django.db import connection
from django_q.tasks import async_task

TASK = "backups.tasks.advance"


def enqueue(execution_id: int) -> None:
    """Makes the run due now and enqueues it in the open transaction: the task exists only if the change does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE backups_execution SET enqueued_at = clock_timestamp(), next_attempt_at = NULL WHERE id = %s",
            [execution_id],
        )
    put_task(execution_id)


def put_task(execution_id: int) -> None:
    """Only the queue's row; for callers that have noted `enqueued_at` themselves."""
    async_task(TASK, execution_id)


def put_other_task(task: str, row_id: int) -> None:
    """A task that reads and changes nothing at Neon, in the open transaction: see backups/tasks.py for their names."""
    async_task(f"backups.tasks.{task}", row_id)
