"""Taking a run: one conditional UPDATE by the database's clock decides who works on it."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TypeAlias

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from backups.domain.execution import CLAIMABLE
from backups.models import Execution, RestoreRequest
from backups.services.execution.events import record_run

_CLAIM = """
WITH candidate AS (
    SELECT id, lease_until IS NOT NULL AS was_abandoned
      FROM backups_execution
     WHERE id = %(id)s
       AND state = ANY(%(claimable)s)
       AND (lease_until IS NULL OR lease_until < clock_timestamp())
       AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())
       FOR UPDATE
)
UPDATE backups_execution AS run
   SET fence = run.fence + 1,
       lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
       attempts = run.attempts + candidate.was_abandoned::int,
       enqueued_at = NULL
  FROM candidate
 WHERE run.id = candidate.id
RETURNING run.request_id, run.fence, run.attempts, candidate.was_abandoned, clock_timestamp()
"""

_Row: TypeAlias = tuple[int | None, int, int, bool, dt.datetime]


class FencedOff(Exception):
    """Another worker has taken the run since. What this one found out is dropped."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a run until the lease ends. `fence` proves it in every write."""

    execution_id: int
    request_id: int | None
    fence: int
    attempts: int
    was_abandoned: bool
    claimed_at: dt.datetime
    clock_at_claim: float

    @property
    def is_worn_out(self) -> bool:
        """True when too many workers died on this run without getting on."""
        return self.attempts > settings.EXECUTION_ABANDONED_LIMIT

    def now(self) -> dt.datetime:
        """The database's time as far as this process can tell without asking. For records, never for decisions."""
        return self.claimed_at + dt.timedelta(seconds=time.monotonic() - self.clock_at_claim)


def claim_execution(execution_id: int) -> Claim | None:
    """Takes the lease and raises the fence. None: finished, not due, or somebody else's; leave quietly."""
    with transaction.atomic():
        row = _take(execution_id)
        if row is None:
            return None
        claim = Claim(execution_id, *row, clock_at_claim=time.monotonic())
        _tell(claim)
        return claim


def lock_run(claim: Claim) -> Execution:
    """The run's row under this claim, locked until the transaction ends. Raises FencedOff.

    The request is locked first, as everywhere: people's acts lock it first too, so the two can't wait for each other.
    """
    if claim.request_id is not None:
        RestoreRequest.objects.select_for_update().only("pk").get(pk=claim.request_id)
    return _held(claim, _SERVED.select_for_update(of=("self",)))


def hold_run(claim: Claim) -> None:
    """As `lock_run`, for writes beside the run that touch neither it nor its request. Raises FencedOff."""
    held = Execution.objects.select_for_update().filter(
        pk=claim.execution_id, fence=claim.fence, state__in=[state.value for state in CLAIMABLE]
    )
    if not list(held.values_list("pk")):
        raise FencedOff


def load_run(claim: Claim) -> Execution:
    """The run as it stands, without a lock. Raises FencedOff."""
    return _held(
        claim, _SERVED.select_related("request__packet", "request__undo_of", "look", "owned_branch", "drill__plan")
    )


#: No relation is joined twice: every column costs time to compile, in each of a run's many short transactions.
_SERVED = Execution.objects.select_related("project", "branch", "request", "look", "drill")


def _held(claim: Claim, runs: QuerySet[Execution]) -> Execution:
    # Not first(): its ordering is compared with every column.
    for run in runs.filter(pk=claim.execution_id, fence=claim.fence, state__in=[state.value for state in CLAIMABLE]):
        return _joined(run)
    raise FencedOff


def _joined(run: Execution) -> Execution:
    """The run's project and branch are those of its branch and request."""
    if run.branch is not None:
        run.branch.project = run.project
    if run.request is not None and run.branch is not None and run.request.branch_id == run.branch_id:
        run.request.branch = run.branch
    return run


def _take(execution_id: int) -> _Row | None:
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "id": execution_id,
                "claimable": [state.value for state in CLAIMABLE],
                "lease": settings.EXECUTION_LEASE_SECONDS,
            },
        )
        row: _Row | None = cursor.fetchone()
    return row


def _tell(claim: Claim) -> None:
    """The first claim and every lost one are events; the many claims of a long wait would say nothing new."""
    if claim.fence > 1 and not claim.was_abandoned:
        return
    execution = _joined(_SERVED.get(pk=claim.execution_id))
    record_run(
        execution,
        type="execution.abandoned" if claim.was_abandoned else "execution.claimed",
        details={"fence": claim.fence, "attempt": claim.attempts, "step_name": execution.step},
    )
