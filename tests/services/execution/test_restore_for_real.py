"""Real data behind the sandbox: rows are deleted, come back, and the restore is undone; every check is required."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from backups.domain.execution import Purpose
from backups.domain.policy import Policy
from backups.domain.restore import PointKind, RequestState, RestorePoint
from backups.models import CheckResult, Execution, OwnedBranch, PolicyVersion, RestoreRequest
from backups.services.restore.draft import draft_undo, submit_request
from tests.factories import People
from tests.services.execution.scene import Scene, opened_scene, work
from tests.support.database import OwnDatabase


@pytest.fixture
def real_scene(own_database: OwnDatabase, quick: None) -> Iterator[Scene]:
    with opened_scene(None, People(), storage="postgres") as scene:
        PolicyVersion.objects.create(number=3, body=Policy().to_json(), created_by_name="erin")
        yield scene


def count(scene: Scene, branch_id: str | None = None) -> int:
    with psycopg.connect(scene.sandbox.dsn(branch_id), autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM doses").fetchone()
    assert row is not None
    return int(row[0])


def prepared(scene: Scene, request: RestoreRequest) -> RestoreRequest:
    """Facts gathered by the real preparation, then votes."""
    work(Execution.objects.get(request=request, purpose=Purpose.PREPARE, revision=request.revision))
    request.refresh_from_db()
    return scene.voted(request)


def test_deleted_rows_come_back_and_go_again(real_scene: Scene) -> None:
    scene = real_scene
    with psycopg.connect(scene.sandbox.dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE doses (id serial PRIMARY KEY, given_at timestamptz NOT NULL DEFAULT now())")
        connection.execute("INSERT INTO doses SELECT FROM generate_series(1, 200)")
        time.sleep(0.05)
        good = scene.moment()
        time.sleep(0.05)
        connection.execute("DELETE FROM doses WHERE id <= 40")
        connection.execute("INSERT INTO doses DEFAULT VALUES")

    request = prepared(scene, scene.submitted(point=RestorePoint(PointKind.TIMESTAMP, at=good)))
    run = work(scene.started(request))
    required = CheckResult.objects.filter(execution=run, is_required=True).exclude(outcome="passed")
    assert run.outcome_code == "completed", [(row.title, row.sentence) for row in required]
    assert count(scene) == 200
    kept = OwnedBranch.objects.get(name=request.preserve_name)
    assert kept.fate == "present"

    undo = draft_undo(actor=scene.people.alice.actor, request_id=request.pk, reason="It was the wrong point")
    submit_request(actor=scene.people.alice.actor, request_id=undo.pk)
    undo.refresh_from_db()
    again = work(scene.started(prepared(scene, undo)))
    unhappy = CheckResult.objects.filter(execution=again, is_required=True).exclude(outcome="passed")
    assert again.outcome_code == "completed", [(row.title, row.sentence) for row in unhappy]
    assert count(scene) == 161
    undo.refresh_from_db()
    assert undo.state == RequestState.COMPLETED
    scene.assert_invariants()
