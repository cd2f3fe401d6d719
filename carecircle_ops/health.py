"""Addresses for machines. They tell whether, never why: no version, host name or error text leaves here."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from backups.domain.monitor import Health
from backups.domain.safety_copy import TokenScope
from backups.selectors.clock import database_now
from backups.selectors.monitor import situation
from backups.selectors.people import client_address
from backups.selectors.worker import WorkerState, worker_health
from backups.services.monitor.report import report_of
from backups.services.tokens import TokenRefused, authenticate
from carecircle_ops.metrics import CONTENT_TYPE, exposition

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


@require_safe
def backups(request: HttpRequest) -> JsonResponse:
    """The state of the backups, for an application's own health page. 200 only when all is known and nothing is wrong.

    The details need a token: HEALTH_TOKEN, or one that an administrator made with the scope read_health.
    """
    try:
        if not request.headers.get("Authorization"):
            found = situation(database_now())
            return JsonResponse({"status": found.health.value}, status=_STATUS[found.health])
        reader = _reader(request)
        if reader is None:
            return JsonResponse({"status": "refused"}, status=401, headers=_ASKS_FOR_A_TOKEN)
        found = situation(database_now(), project_id=reader.project_id)
        return JsonResponse(report_of(found), status=_STATUS[found.health])
    except DatabaseError:
        return JsonResponse({"status": Health.UNKNOWN.value}, status=503)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus, which sends the token as a bearer token."""
    try:
        reader = _reader(request)
        if reader is None:
            words = "A token is needed.\n"
            return HttpResponse(words, status=401, content_type="text/plain", headers=_ASKS_FOR_A_TOKEN)
        return HttpResponse(exposition(project_id=reader.project_id), content_type=CONTENT_TYPE)
    except DatabaseError:
        return HttpResponse("The database does not answer.\n", status=503, content_type="text/plain")


_STATUS = {Health.HEALTHY: 200, Health.FINDINGS: 503, Health.UNKNOWN: 503}
_ASKS_FOR_A_TOKEN = {"WWW-Authenticate": 'Bearer realm="health"'}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Whose token it is; `project_id` limits what may be seen to one project."""

    project_id: int | None


def _reader(request: HttpRequest) -> _Reader | None:
    header = request.headers.get("Authorization", "")
    expected = f"Bearer {settings.HEALTH_TOKEN}"
    if settings.HEALTH_TOKEN and hmac.compare_digest(header.encode(), expected.encode()):
        return _Reader(project_id=None)
    if not header:
        return None
    try:
        caller = authenticate(header, TokenScope.READ_HEALTH, ip=client_address(request))
    except TokenRefused:
        return None
    return _Reader(project_id=caller.project_id)


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
