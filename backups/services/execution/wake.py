"""Enqueues what is due: waits that are over, leases that ran out, tasks that were lost."""

from __future__ import annotations

from django.conf import settings
from django.db import connection, transaction

from backups.domain.execution import CLAIMABLE
from backups.services.execution.queue import put_task

_MOST_AT_ONCE = 100

# The state and both times are the partial index execution_due.
_DUE = """
UPDATE backups_execution
   SET enqueued_at = clock_timestamp()
 WHERE id IN (
    SELECT id
      FROM backups_execution
     WHERE state = ANY(%(claimable)s)
       AND (lease_until IS NULL OR lease_until < clock_timestamp())
       AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())
       AND (enqueued_at IS NULL OR enqueued_at < clock_timestamp() - make_interval(secs => %(requeue)s))
     ORDER BY next_attempt_at NULLS FIRST
     LIMIT %(most)s
       FOR UPDATE SKIP LOCKED
 )
RETURNING id
"""


def enqueue_due_executions() -> int:
    """Gives every due run a task; returns how many. A task too many is harmless: the claim decides."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                _DUE,
                {
                    "claimable": [state.value for state in CLAIMABLE],
                    "requeue": settings.EXECUTION_REQUEUE_SECONDS,
                    "most": _MOST_AT_ONCE,
                },
            )
            due = [row[0] for row in cursor.fetchall()]
        for execution_id in due:
            put_task(execution_id)
    return len(due)
