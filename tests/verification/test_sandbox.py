"""Restore and undo through Neon's API, as the worker does them, with clients writing all the time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from backups.neon.branches import NewEndpoint
from backups.neon.client import NeonClient
from backups.neon.results import BranchChange
from backups.neon.secret import Secret
from backups.verification import CheckContext, Dsn, compare_point_with_now
from demo import seed
from demo.traffic import Traffic
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests.verification.story import not_passed, verify, whatever_is_deleted

SCALE = 0.05


@dataclass
class Project:
    sandbox: RunningSandbox
    client: NeonClient

    @property
    def main(self) -> str:
        return self.sandbox.branch_id

    def dsn(self, branch_id: str | None = None) -> Dsn:
        return Dsn(self.sandbox.dsn(branch_id))

    def now(self) -> dt.datetime:
        return self.execute("SELECT date_trunc('milliseconds', clock_timestamp())")[0][0]

    def execute(self, statement: str, branch_id: str | None = None) -> list[tuple]:
        with psycopg.connect(self.sandbox.dsn(branch_id), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def copy(self, name: str, parent_id: str, moment: dt.datetime | None = None) -> str:
        change = self.client.branches.create(
            self.sandbox.project_id, name=name, parent_id=parent_id, parent_timestamp=moment, endpoint=NewEndpoint()
        )
        return self.done(change)

    def restore(self, preserve: str, source: str, moment: dt.datetime | None = None) -> str:
        """Returns the id of the preserved branch."""
        change = self.client.branches.restore(
            self.sandbox.project_id,
            target_branch_id=self.main,
            source_branch_id=source,
            preserve_under_name=preserve,
            source_timestamp=moment,
        )
        self.done(change)
        preserved = self.client.branches.find_by_name(self.sandbox.project_id, preserve)
        assert preserved is not None
        return preserved.id

    def done(self, change: BranchChange) -> str:
        self.client.operations.wait_for(self.sandbox.project_id, change.operation_ids, deadline_seconds=60)
        assert change.branch is not None
        return change.branch.id


@pytest.fixture
def project() -> Iterator[Project]:
    with (
        running_sandbox(storage="postgres") as sandbox,
        NeonClient(Secret(sandbox.api_key), base_url=sandbox.url) as client,
    ):
        seed.load(sandbox.dsn(), scale=SCALE)
        yield Project(sandbox, client)


def test_incident_restore_and_undo_are_verified_under_traffic(project: Project) -> None:
    with Traffic(project.sandbox.dsn(), rate_per_second=100) as clients:
        clients.wait_for(20)
        point = project.now()
        clients.wait_for(20)
        deleted = project.execute("WITH gone AS (DELETE FROM documents RETURNING 1) SELECT count(*) FROM gone")[0][0]
        preview = project.copy("preview", project.main, point)
        losses = {
            loss.table: loss
            for loss in compare_point_with_now(project.dsn(preview), project.dsn(), point_at=point).tables
        }
        assert losses["public.documents"].rows_back == deleted
        assert losses["public.medication_logs"].rows_lost > 0

        submitted_at = project.now()
        preserved = project.restore("main_before", project.main, point)
        context = CheckContext(
            branch=project.dsn(),
            reference=project.dsn(preview),
            point_at=point,
            submitted_at=submitted_at,
            writable_at=project.now(),
        )
        clients.wait_for(30)
        assert not_passed(verify(whatever_is_deleted(context))) == {}
        assert project.execute("SELECT count(*) FROM documents")[0][0] == deleted

        before_undo = project.copy("undo_preview", preserved)
        undo_submitted_at = project.now()
        project.restore("main_restored", preserved)
        undone = CheckContext(
            branch=project.dsn(),
            reference=project.dsn(before_undo),
            point_at=submitted_at,
            submitted_at=undo_submitted_at,
            writable_at=project.now(),
        )
        clients.wait_for(30)
        assert not_passed(verify(whatever_is_deleted(undone))) == {}
        assert project.execute("SELECT count(*) FROM documents")[0][0] == 0
    assert len(clients.record.outages) == 2
