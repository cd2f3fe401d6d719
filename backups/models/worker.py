"""Signs of life of the worker, for pages and checks that run in other processes."""

from __future__ import annotations

from django.db import models


class WorkerHeartbeat(models.Model):
    """The last canary of one supervisor that a worker process really ran; the queue itself cannot tell."""

    node = models.CharField(max_length=120, primary_key=True, help_text="Host and process id of the supervisor")
    beat_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.node} at {self.beat_at:%Y-%m-%d %H:%M:%S} UTC"
