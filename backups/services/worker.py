"""The canary: a task that does nothing but prove that tasks are run."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now
from django_q.tasks import async_task

from backups.models.worker import WorkerHeartbeat

_FORGET_AFTER = timedelta(days=1)


def send_canary(*, node: str) -> None:
    """Puts a heartbeat of this supervisor into the queue."""
    async_task("backups.tasks.heartbeat", node)


def record_heartbeat(*, node: str) -> None:
    """Called in a worker process: the way from the queue to here works. By the database's clock."""
    WorkerHeartbeat.objects.update_or_create(node=node, defaults={"beat_at": Now()})
    WorkerHeartbeat.objects.filter(beat_at__lt=Now() - _FORGET_AFTER).delete()
