"""What the supervisor needs of the queue: a canary that proves that tasks are run, and tasks given back."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now
from django_q.models import OrmQ
from django_q.tasks import async_task

from backups.domain.notification import Control
from backups.models.worker import WorkerHeartbeat
from backups.services.notification.heartbeat import beat

_FORGET_AFTER = timedelta(days=1)


def send_canary(*, node: str) -> None:
    """Puts a heartbeat of this supervisor into the queue."""
    async_task("backups.tasks.heartbeat", node)


def record_heartbeat(*, node: str) -> None:
    """Called in a worker process: the way from the queue to here works. By the database's clock."""
    WorkerHeartbeat.objects.update_or_create(node=node, defaults={"beat_at": Now()})
    WorkerHeartbeat.objects.filter(beat_at__lt=Now() - _FORGET_AFTER).delete()
    beat(Control.WORKER)


def release_fetched_tasks() -> int:
    """Makes tasks that a dead cluster had fetched ready again; otherwise they wait for the queue's `retry` (minutes).

    A task that some other cluster is running is then run twice, which every task must bear anyway.
    """
    return int(OrmQ.objects.filter(lock__gt=Now()).update(lock=Now()))
