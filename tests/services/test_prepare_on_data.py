"""Preparation, look and connect on a real branch: real rows, a real copy at the point, real counts."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from backups.domain.people import SYSTEM
from backups.domain.restore import PointKind, RestorePoint, whole_milliseconds
from backups.models import Execution, Look, OwnedBranch, ProtectedBranch, TableMeaning
from backups.neon.secret import Secret
from backups.selectors.clock import database_now
from backups.services.connect import connect_project
from backups.services.look import open_look
from demo.seed import load
from neon_sandbox.testing import RunningSandbox, running_sandbox
from tests import factories
from tests.services.sandboxes import run_to_end

pytestmark = pytest.mark.django_db

DELETED = "DELETE FROM medication_logs WHERE id % 4 = 0"
WRITTEN = """
    INSERT INTO medication_logs (medication_id, scheduled_for, status)
    SELECT 1, now(), 'given' FROM generate_series(1, 37)"""


class World:
    """A branch on which rows were deleted and others written after the moment `good`."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        dsn = sandbox.dsn()
        load(dsn, scale=0.05)
        time.sleep(0.05)
        self.good = whole_milliseconds(dt.datetime.now(dt.UTC))
        time.sleep(0.05)
        with psycopg.connect(dsn, autocommit=True) as connection:
            self.before = self._count(connection)
            self.deleted = connection.execute(DELETED).rowcount
            connection.execute(WRITTEN)
            connection.execute("CREATE TABLE left_over (id int PRIMARY KEY)")

    @staticmethod
    def _count(connection: psycopg.Connection[Any]) -> int:
        row = connection.execute("SELECT count(*) FROM medication_logs").fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_sandbox(storage="postgres") as sandbox:
        yield World(sandbox)


@pytest.fixture
def branch(world: World) -> ProtectedBranch:
    project = connect_project(
        actor=SYSTEM,
        neon_project_id=world.sandbox.project_id,
        api_host=world.sandbox.url,
        api_key=Secret(world.sandbox.api_key),
        is_sandbox=True,
    )
    return ProtectedBranch.objects.select_related("project").get(project=project, is_default=True)


def test_connect_opens_the_branch_and_names_tables_without_time(branch: ProtectedBranch) -> None:
    lines = {line["code"]: line for line in branch.project.connect_report["lines"]}
    assert lines["connection"]["status"] == "ok"
    assert lines["time_columns"]["status"] == "to_do"
    assert "left_over" in lines["time_columns"]["sentence"]


def test_the_packet_tells_what_is_lost_and_what_comes_back(world: World, branch: ProtectedBranch) -> None:
    TableMeaning.objects.create(
        branch=branch, table="public.medication_logs", meaning="doses given", patient_safety=True
    )
    request = factories.submitted(
        factories.People().alice, branch, point=RestorePoint(PointKind.TIMESTAMP, at=world.good)
    )
    run = run_to_end(Execution.objects.get(request=request, purpose="prepare"))
    request.refresh_from_db()
    assert request.packet is not None, [(s.step, s.result, s.sentence) for s in run.steps.all()]
    observed = request.packet.observed
    first = observed["tables"][0]
    assert (first["table"], first["meaning"], first["patient_safety"]) == (
        "public.medication_logs",
        "doses given",
        True,
    )
    assert (first["at_point"], first["now"]) == (world.before, world.before - world.deleted + 37)
    assert (first["lost_at_least"], first["back_at_least"]) == (37, world.deleted)
    assert observed["schema"]["tables_only_now"] == ["carecircle/public.left_over"]
    assert observed["migration_head"]["then"] == observed["migration_head"]["now"] is not None
    assert observed["rehearsal"]["outcome"] == "passed"
    assert observed["rehearsal"]["checks"]
    assert observed["head_lsn"]
    assert observed["sizes"]["branch_bytes"] > 1_000_000
    assert "Discards at least 37 rows written since, in 1 table" in request.packet.consequence
    assert observed["unknown"] == []


def test_a_look_is_ready_soon_and_never_connects_to_the_branch(world: World, branch: ProtectedBranch) -> None:
    people = factories.People()
    before = len(world.sandbox.calls())
    began = time.monotonic()
    look = open_look(
        actor=people.alice.actor, branch_id=branch.pk, point=RestorePoint(PointKind.TIMESTAMP, at=world.good)
    )
    run = run_to_end(Execution.objects.get(look=look))
    look.refresh_from_db()
    assert (run.outcome_code, look.state) == ("ready", "ready")
    assert time.monotonic() - began < 10
    (database,) = look.facts["databases"]
    assert database["rows"]["public.medication_logs"] == world.before
    owned = OwnedBranch.objects.get(look=look)
    assert (owned.purpose, owned.fate) == ("look", "present")
    assert owned.expires_at is not None
    assert dt.timedelta(0) < owned.expires_at - database_now() <= dt.timedelta(hours=1)
    asked_for = [call["query"] for call in world.sandbox.calls()[before:] if call["path"].endswith("/connection_uri")]
    assert asked_for
    assert all(branch.neon_branch_id not in str(query) for query in asked_for)
    assert Look.objects.get(pk=look.pk).ready_at
