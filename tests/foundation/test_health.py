"""The addresses for machines: whether, never why."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from backups.models import WorkerHeartbeat
from backups.services.worker import record_heartbeat, send_canary
from tests.support.database import OwnDatabase, RunSql


@pytest.fixture
def late(settings):
    settings.WORKER_LATE_SECONDS = 0.000001


def test_healthz_needs_nothing(client):
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_with_a_worker(client):
    record_heartbeat(node="test")

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "worker": "ok"})


@pytest.mark.django_db
def test_a_missing_worker_is_told_and_pages_are_still_served(client):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "worker": "unknown"})


@pytest.mark.django_db
def test_workerz_fails_without_a_worker(client):
    answer = client.get("/workerz")

    assert (answer.status_code, answer.json()) == (503, {"worker": "unknown"})


@pytest.mark.django_db
def test_an_old_heartbeat_is_late(client, late):
    record_heartbeat(node="test")

    assert client.get("/workerz").json() == {"worker": "late"}


def test_not_ready_while_a_migration_is_missing(client, own_database: OwnDatabase, as_owner: RunSql):
    as_owner("DELETE FROM django_migrations WHERE app = %s", "backups")

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["database"]) == (503, "migrations missing")


def test_not_ready_without_a_database_and_silent_about_it(client, own_database: OwnDatabase, as_superuser: RunSql):
    as_superuser(f'ALTER DATABASE "{own_database.name}" ALLOW_CONNECTIONS false')

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"database": "failed", "worker": "unknown"})


@pytest.mark.django_db
def test_worker_health_tells_what_waits(capsys):
    record_heartbeat(node="test")
    send_canary(node="test")

    call_command("worker_health")

    health = json.loads(capsys.readouterr().out)
    assert (health["state"], health["waiting_tasks"]) == ("ok", 1)
    assert health["oldest_waiting_task_seconds"] >= 0


@pytest.mark.django_db
def test_worker_health_fails_when_late(capsys, late):
    record_heartbeat(node="test")

    with pytest.raises(SystemExit, match="1"):
        call_command("worker_health")


@pytest.mark.django_db
def test_nodes_that_are_long_gone_are_forgotten():
    record_heartbeat(node="old")
    WorkerHeartbeat.objects.update(beat_at="2020-01-01T00:00:00Z")

    record_heartbeat(node="new")

    assert list(WorkerHeartbeat.objects.values_list("node", flat=True)) == ["new"]
