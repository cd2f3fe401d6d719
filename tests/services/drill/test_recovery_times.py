"""Drills and real restores give their stages to the trend pages."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from backups.domain.execution import CheckOutcome
from backups.domain.recovery import Moment, summarise
from backups.management.commands import run_drill
from backups.models import Drill, Execution
from backups.selectors.clock import database_now
from backups.selectors.recovery_times import drill_recoveries, restore_recoveries
from tests.services.drill.conftest import StubbedChecks
from tests.services.drill.rehearsing import planned, rehearsed
from tests.services.execution.scene import Scene, work


def period() -> tuple[dt.datetime, dt.datetime]:
    now = database_now()
    return now - dt.timedelta(days=1), now + dt.timedelta(minutes=1)


def test_a_drill_gives_its_stages(scene: Scene, checks: StubbedChecks, django_assert_num_queries: Any) -> None:
    for _ in range(2):
        rehearsed(scene)
    since, until = period()
    with django_assert_num_queries(1):
        found = drill_recoveries(branch=scene.branch, since=since, until=until)
    assert len(found) == 2
    assert [stage.name for stage in found[0].stages] == [
        "requested to submitted",
        "submitted to connectable",
        "connectable to verified",
    ]
    assert found[0].total_milliseconds == Drill.objects.order_by("pk")[0].rto_milliseconds
    assert summarise(found).total.count == 2


def test_a_restore_gives_its_stages_with_people_in_it(scene: Scene) -> None:
    noticed_at = scene.moment() - dt.timedelta(minutes=10)
    run = work(scene.started(noticed_at=noticed_at))
    assert run.outcome_code == "completed"
    since, until = period()
    (found,) = restore_recoveries(project=scene.project, since=since, until=until)
    assert list(found.moments) == list(Moment)
    assert list(found.moments.values()) == sorted(found.moments.values())
    assert found.total_milliseconds is not None
    assert found.total_milliseconds >= 600_000


class TestCommand:
    """manage.py run_drill, with a worker that works while the command waits."""

    @pytest.fixture(autouse=True)
    def _works_while_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def worker(_: float) -> None:
            work(Execution.objects.get(purpose="drill"))

        monkeypatch.setattr(run_drill, "_sleep", worker)

    def test_passed_is_0(self, scene: Scene, checks: StubbedChecks, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("run_drill", plan=planned(scene).name, wait=True)
        assert "passed: All 2 required checks passed" in capsys.readouterr().out
        assert Drill.objects.get().asked_by_name.startswith("run_drill")

    @pytest.mark.parametrize(("outcome", "status"), [("failed", 1), ("inconclusive", 2)])
    def test_failed_is_1_and_what_shows_nothing_is_2(
        self, scene: Scene, checks: StubbedChecks, outcome: str, status: int
    ) -> None:
        checks.outcomes["row_counts"] = CheckOutcome(outcome)
        with pytest.raises(SystemExit) as ended:
            call_command("run_drill", plan=planned(scene).name, wait=True)
        assert ended.value.code == status

    def test_not_over_in_time_is_2(self, scene: Scene, checks: StubbedChecks) -> None:
        with pytest.raises(SystemExit) as ended:
            call_command("run_drill", plan=planned(scene).name, wait=True, timeout=0)
        assert ended.value.code == 2

    def test_an_unknown_plan_is_said(self, scene: Scene) -> None:
        with pytest.raises(CommandError, match="0 plans in use are called") as refused:
            call_command("run_drill", plan="No such plan")
        assert refused.value.returncode == 2
