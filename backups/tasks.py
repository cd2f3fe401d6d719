"""What the worker can be asked to do. Tasks carry ids only; all truth is in the rows."""

from __future__ import annotations

from backups.services.afterwards.observing import look_at_application as look_at_application_once
from backups.services.connect import examine_as_worker
from backups.services.drill.reap import reconcile_drill_copies as reconcile_copies_of_project
from backups.services.execution.advance import advance as advance_execution
from backups.services.observed_now import read_observed_now
from backups.services.worker import record_heartbeat


def advance(execution_id: int) -> None:
    advance_execution(execution_id)


def heartbeat(node: str) -> None:
    record_heartbeat(node=node)


def examine_project(project_id: int) -> None:
    examine_as_worker(project_id=project_id)


def refresh_observed(request_id: int) -> None:
    read_observed_now(request_id=request_id)


def look_at_application(checklist_id: int) -> None:
    look_at_application_once(checklist_id=checklist_id)


def reconcile_drill_copies(project_id: int) -> None:
    reconcile_copies_of_project(project_id=project_id)
