"""Addresses for machines. They tell whether, never why: no version, host name or error text leaves here."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from backups.selectors.worker import WorkerState, worker_health

_FAILED = "failed"


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Pages can be served. A worker that is down is told but does not count: people must be able to see it."""
    database = _database_state()
    worker = _worker_state() if database == "ok" else WorkerState.UNKNOWN
    status = 200 if database == "ok" else 503
    return JsonResponse({"database": database, "worker": worker.value}, status=status)


def workerz(request: HttpRequest) -> JsonResponse:
    """Tasks are being run."""
    worker = _worker_state()
    return JsonResponse({"worker": worker.value}, status=200 if worker is WorkerState.OK else 503)


def _database_state() -> str:
    try:
        executor = MigrationExecutor(connection)
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return _FAILED
    return "migrations missing" if behind else "ok"


def _worker_state() -> WorkerState:
    try:
        return worker_health().state
    except DatabaseError:
        return WorkerState.UNKNOWN
