"""A drill's checks through Neon's API, as the role that an application has there, with clients writing all the time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

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
