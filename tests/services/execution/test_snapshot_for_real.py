"""Real data behind the sandbox: a snapshot's rows come back, and what was written since is kept beside them."""

from __future__ import annotations

import psycopg
import pytest

from backups.domain.restore import RequestState, SnapshotMode
from backups.models import CheckResult, OwnedBranch
from tests.services.execution.scene import Scene, work
from tests.services.execution.test_restore_for_real import count, prepared, real_scene

__all__ = ["real_scene"]


@pytest.mark.parametrize("mode", list(SnapshotMode))
def test_the_rows_of_the_snapshot_come_back(real_scene: Scene, mode: SnapshotMode) -> None:
    scene, dsn = real_scene, real_scene.sandbox.dsn()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE doses (id serial PRIMARY KEY, given_at timestamptz NOT NULL DEFAULT now())")
        connection.execute("INSERT INTO doses SELECT FROM generate_series(1, 200)")
        wish = scene.snapshot_wish(mode)
        connection.execute("DELETE FROM doses WHERE id <= 40")
        connection.execute("INSERT INTO doses DEFAULT VALUES")

    request = prepared(scene, scene.submitted(**wish))
    assert request.packet is not None
    (table,) = (row for row in request.packet.observed["tables"] if row["table"] == "public.doses")
    assert (table["at_point"], table["now"], table["back_at_least"]) == (200, 161, 40)
    assert request.packet.observed["rehearsal"]["outcome"] == "passed"
    run = work(scene.started(request))
    unhappy = CheckResult.objects.filter(execution=run, is_required=True).exclude(outcome="passed")
    assert run.outcome_code == "completed", [(row.title, row.sentence) for row in unhappy]
    request.refresh_from_db()
    assert request.state == RequestState.COMPLETED
    scene.branch.refresh_from_db()
    assert scene.sandbox.dsn(scene.branch.neon_branch_id) == dsn, "applications keep their connection string"
    assert count(scene, scene.branch.neon_branch_id) == 200
    assert _rows_kept(scene, request.pk) == 161
    scene.assert_invariants()


def _rows_kept(scene: Scene, request_id: int) -> int:
    """What the state before holds, which has no compute until it gets one."""
    kept = OwnedBranch.objects.get(request=request_id, purpose="preserved")
    with scene.neon() as client:
        made = client.endpoints.create(scene.sandbox.project_id, branch_id=kept.neon_branch_id)
        client.operations.wait_for(scene.sandbox.project_id, made.operation_ids, deadline_seconds=20)
    return count(scene, kept.neon_branch_id)
