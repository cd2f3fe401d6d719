"""Whether the worker lives, judged by what it did and not by what it says of itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from django.conf import settings
from django.db.models import Max, Min
from django_q.models import OrmQ

from backups.models.worker import WorkerHeartbeat
from backups.selectors.clock import database_now


class WorkerState(StrEnum):
    #: A worker ran a heartbeat a moment ago.
    OK = "ok"
    #: The last heartbeat is too old: the worker is down, hangs, or is overloaded.
    LATE = "late"
    #: No heartbeat is known: the worker was never started, or not for a day.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class WorkerHealth:
    state: WorkerState
    heartbeat_age_seconds: float | None
    #: Since when the oldest task that nobody has fetched is waiting; None when none waits.
    oldest_waiting_task_seconds: float | None
    waiting_tasks: int

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def worker_health() -> WorkerHealth:
    now = database_now()
    beat_at = WorkerHeartbeat.objects.aggregate(newest=Max("beat_at"))["newest"]
    # A task that was fetched has its lock in the future.
    waiting = OrmQ.objects.filter(lock__lte=now)
    oldest = waiting.aggregate(oldest=Min("lock"))["oldest"]
    age = (now - beat_at).total_seconds() if beat_at else None
    return WorkerHealth(
        state=_state(age),
        heartbeat_age_seconds=age,
        oldest_waiting_task_seconds=(now - oldest).total_seconds() if oldest else None,
        waiting_tasks=waiting.count(),
    )


def _state(age_seconds: float | None) -> WorkerState:
    if age_seconds is None:
        return WorkerState.UNKNOWN
    return WorkerState.OK if age_seconds <= settings.WORKER_LATE_SECONDS else WorkerState.LATE
