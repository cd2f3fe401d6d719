"""What the worker can be asked to do. Tasks carry ids only; all truth is in the rows."""

from __future__ import annotations

from backups.services.execution.advance import advance as advance_execution
from backups.services.worker import record_heartbeat


def advance(execution_id: int) -> None:
    advance_execution(execution_id)


def heartbeat(node: str) -> None:
    record_heartbeat(node=node)
