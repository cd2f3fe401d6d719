"""The addresses for machines: whether, never why."""

from __future__ import annotations

import pytest

from backups.services.worker import record_heartbeat
from tests.support.database import OwnDatabase


@pytest.mark.django_db
def test_healthz_needs_nothing(client):
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
