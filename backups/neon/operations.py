"""Operations: the asynchronous work behind every change."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.deadline import Deadline
from backups.neon.paging import PAGE_SIZE, pages
from backups.neon.results import OperationsState, Progress
from backups.neon.types import Operation
from backups.neon.wire import Raw

FAILED_GRACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Polling:
    """Waits between two looks: short at first, because most operations take a second or two."""

    first_seconds: float = 0.1
    growth: float = 1.25
    longest_seconds: float = 5.0


class Operations:
    def __init__(self, caller: Caller, *, page_size: int = PAGE_SIZE) -> None:
        self._caller = caller
        self._page_size = page_size

    def list_since(self, project_id: str, since: datetime) -> tuple[Operation, ...]:
        """Those created at `since` or later, newest first, together with any whose time is not told.

        Neon's clock wrote the times: subtract an allowance when `since` comes from another clock.
        """
        if since.tzinfo is None:
            raise ValueError("a time compared with Neon's needs a zone")
        found: dict[str, Operation] = {}
        for page in pages(
            self._caller,
            "operations.list_since",
            _listed,
            cursor="cursor",
            page_size=self._page_size,
            project_id=project_id,
        ):
            recent = {o.id: o for o in page if o.created_at is None or o.created_at >= since}
            found |= recent
            if not recent:
                break
        return tuple(found.values())

    def get(self, project_id: str, operation_id: str) -> Operation:
        return self._caller.read(
            "operations.get",
            lambda raw: Operation.of(wire.object_in(raw, "operation")),
            project_id=project_id,
            operation_id=operation_id,
        )

    def wait_for(
        self,
        project_id: str,
        operation_ids: Collection[str],
        *,
        deadline_seconds: float,
        failed_grace_seconds: float = FAILED_GRACE_SECONDS,
        polling: Polling | None = None,
    ) -> OperationsState:
        """Poll until all are done, one has finally failed, or the deadline has come (then RUNNING: call
        again later). No ids means done. A status not known here counts as running.

        An operation in `failed` counts only after `failed_grace_seconds` without a change, measured by
        Neon's `updated_at`, so that the grace also runs from one wait to the next.
        """
        around = self._caller.surroundings
        plan = polling or Polling()
        deadline = Deadline.after(deadline_seconds, around.clock)
        known: dict[str, Operation] = {}
        pause_seconds = plan.first_seconds
        while True:
            for operation_id in dict.fromkeys(operation_ids):
                if operation_id not in known or not known[operation_id].succeeded:
                    known[operation_id] = self.get(project_id, operation_id)
            state = judge(tuple(known.values()), now=around.now(), failed_grace_seconds=failed_grace_seconds)
            if state.progress is not Progress.RUNNING or deadline.is_over:
                return state
            around.sleep(min(pause_seconds, deadline.remaining_seconds()))
            pause_seconds = min(pause_seconds * plan.growth, plan.longest_seconds)


def judge(
    operations: tuple[Operation, ...],
    *,
    now: datetime,
    failed_grace_seconds: float = FAILED_GRACE_SECONDS,
) -> OperationsState:
    """Where a set of operations stands. One that has finally failed decides for all."""
    failed = tuple(o for o in operations if o.has_failed(now=now, grace_seconds=failed_grace_seconds))
    if failed:
        return OperationsState(Progress.FAILED, operations, failed)
    done = all(o.succeeded for o in operations)
    return OperationsState(Progress.DONE if done else Progress.RUNNING, operations, ())


def _listed(page: Raw) -> tuple[Operation, ...]:
    return tuple(Operation.of(raw) for raw in wire.objects_in(page, "operations"))
