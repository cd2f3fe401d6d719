"""A drill's checks through Neon's API, as the role that an application has there, with clients writing all the time."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import psycopg
import pytest

from backups.domain.execution import CheckOutcome
from backups.neon.client import NeonClient
from backups.neon.secret import Secret
from backups.verification.drill import (
    CheckPack,
    DrillTarget,
    Operator,
    OwnCheck,
    PlannedCheck,
    ensure_canary,
    kept_connections,
    plan_checks,
    write_beat,
)
from demo import seed
from demo.traffic import Traffic
from neon_sandbox.testing import running_sandbox
from tests.verification.drill.databases import not_passed, to_the_end
from tests.verification.test_sandbox import Project


@pytest.fixture
def project() -> Iterator[Project]:
    with (
        running_sandbox(storage="postgres") as sandbox,
        NeonClient(Secret(sandbox.api_key), base_url=sandbox.url) as client,
    ):
        seed.load(sandbox.dsn(), scale=0.02)
        yield Project(sandbox, client)


def test_a_right_copy_passes_under_traffic_and_one_of_another_time_does_not(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backups.verification.canary_verdict.COMMIT_MARGIN", dt.timedelta(0))
    ensure_canary(project.dsn())
    with Traffic(project.sandbox.dsn(), rate_per_second=100) as clients, psycopg.connect(project.sandbox.dsn()) as slow:
        first = write_beat(project.dsn())
        slow.execute("UPDATE families SET name = name || ' (slow)'")
        clients.wait_for(20)
        point = project.now()
        slow.commit()
        second = write_beat(project.dsn())
        clients.wait_for(20)
        own = OwnCheck("families", "Families are there", "SELECT count(*) FROM families", Operator.MORE, "3")
        target = DrillTarget(
            "carecircle",
            project.dsn(project.copy("drill", project.main, point)),
            project.dsn(),
            point_at=point,
            pack=CheckPack(has_canary=True, changing_tables=("families",), own_checks=(own,)),
            known_beats=(first, second),
        )
        found = {}
        for planned in plan_checks(target):
            found[planned.code, planned.subject] = verdict = to_the_end(planned, target)
            target = target.learn(planned.code, verdict.figures)
        assert not_passed(found) == {}
        assert target.in_flight
    for shift, says in ((-10, "to a later time"), (10, "to an earlier time")):
        other = replace(target, point_at=point + dt.timedelta(seconds=shift))
        verdict = to_the_end(PlannedCheck("point_time", "", "", "", True), other)
        assert verdict.outcome is CheckOutcome.FAILED
        assert says in verdict.sentence


@pytest.mark.soak
def test_no_right_copy_ever_fails(project: Project) -> None:
    """Twenty points in the middle of traffic and of a transaction that is open for up to a second and a half."""
    random = Random(20)
    project.sandbox.settings(plan="scale")
    ended = threading.Event()
    slow = threading.Thread(target=_long_transactions, args=(project, ended, random))
    slow.start()
    try:
        with Traffic(project.sandbox.dsn(), rate_per_second=None) as clients:
            for number in range(20):
                clients.wait_for(60)
                point = project.now()
                clients.wait_for(60)
                copy = project.copy(f"drill-{number}", project.main, point)
                assert _failures(DrillTarget("carecircle", project.dsn(copy), project.dsn(), point_at=point)) == {}
                project.done(project.client.branches.delete(project.sandbox.project_id, copy))
    finally:
        ended.set()
        slow.join()


def _failures(target: DrillTarget) -> dict[tuple[str, str], str]:
    failures = {}
    with kept_connections():
        for planned in plan_checks(target):
            verdict = to_the_end(planned, target)
            target = target.learn(planned.code, verdict.figures)
            if verdict.outcome is CheckOutcome.FAILED:
                failures[planned.code, planned.subject] = verdict.sentence
    return failures


def _long_transactions(project: Project, ended: threading.Event, random: Random) -> None:
    while not ended.is_set():
        with psycopg.connect(project.sandbox.dsn()) as client:
            client.execute("INSERT INTO notifications (user_id, kind) SELECT min(id), 'slow' FROM users")
            ended.wait(random.random() * 1.5)
            client.execute("UPDATE families SET updated_at = now() WHERE id = (SELECT min(id) FROM families)")
