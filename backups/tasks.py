"""What the worker can be asked to do. Tasks carry ids only; all truth is in the rows."""

from __future__ import annotations

from backups.services.worker import record_heartbeat


def heartbeat(node: str) -> None:
    record_heartbeat(node=node)
