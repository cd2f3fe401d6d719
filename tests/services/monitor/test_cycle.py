"""A cycle as a whole: bounded, honest about what it could not see, and out of the way of a restore."""

from __future__ import annotations

import datetime as dt
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from backups.domain.monitor import CouldNotTell, FindingCode, Observation, Severity
from backups.domain.people import SYSTEM
from backups.models import ControlState, Finding, LedgerEvent, MetricSample, MonitorRun, OutboxMessage, ProjectWatch
from backups.neon.consumption import Consumption, Period, Timeframe, Usage
from backups.selectors.clock import database_now
from backups.selectors.monitor import situation
from backups.services.monitor import cycle
from backups.services.monitor.claim import claim_projects
from backups.services.monitor.conclude import conclude
from backups.services.monitor.controls.shapes import verdict_of
from backups.services.monitor.facts import NeonFacts
from backups.services.monitor.findings import Answer, Reconciliation
from backups.services.monitor.pace import Pace
from backups.services.monitor.prepare import prepare
from tests import factories
from tests.factories import People
from tests.services.monitor.conftest import World, approved_restore
from tests.services.monitor.test_findings_in_sandbox import plan_and_pass_drill, take_scheduled_snapshot

pytestmark = pytest.mark.django_db
C = FindingCode


def reads(world: World, before: int) -> list[str]:
    calls = world.sandbox.calls()[before:]
    return [call["path"] for call in calls if world.project.neon_project_id in call["path"]]


def make_healthy(world: World) -> None:
    plan_and_pass_drill(world)
    take_scheduled_snapshot(world)
    world.look()


def test_a_look_asks_little_and_changes_nothing(world: World) -> None:
    before = len(world.sandbox.calls())
    world.look()
    made = world.sandbox.calls()[before:]
    assert {call["method"] for call in made} == {"GET"}
    assert len(reads(world, before)) <= 8
    run = MonitorRun.objects.get()
    assert (run.calls, run.failed_calls, run.unknown) == (len(made), 0, 0)
    assert not LedgerEvent.objects.filter(type="neon.call", recorded_at__gte=run.started_at).exists()


def test_near_a_production_restore_only_the_least_is_read_and_nobody_is_alarmed(world: World, people: People) -> None:
    make_healthy(world)
    request = approved_restore(world, people)
    world.settings.MONITOR_UNKNOWN_GRACE_SECONDS = 0
    before = len(world.sandbox.calls())
    world.look()
    asked = {path.rsplit("/", 1)[-1] for path in reads(world, before)}
    assert asked == {world.project.neon_project_id, "branches", "operations"}
    state = ControlState.objects.get(control="schedule")
    assert state.is_postponed
    assert request.reference in state.unknown_reason
    assert not world.open()
    # Postponed is still not known, and is shown so.
    assert situation(database_now()).health == "unknown"


def test_silence_opens_and_closes_nothing_until_the_grace_is_over(world: World, people: People) -> None:
    world.look()
    before = dict(world.open())
    world.sandbox.faults.add("status", path=world.project.neon_project_id, times=None, status=500)
    world.settings.MONITOR_CALL_SECONDS = 0.2
    world.look()
    assert world.open() == before
    assert situation(database_now()).health in {"findings", "unknown"}
    ControlState.objects.filter(unknown_since__isnull=False).update(
        unknown_since=timezone.now() - dt.timedelta(hours=1)
    )
    world.look()
    found = world.open()[C.CANNOT_TELL]
    assert found.severity == "critical"
    assert OutboxMessage.objects.filter(topic="finding.unknown").exists()
    world.sandbox.faults.clear()
    world.look()
    assert C.CANNOT_TELL not in world.open()


def test_a_project_without_a_key_is_unknown(world: World) -> None:
    world.project.api_key_encrypted = None
    world.project.save()
    world.look()
    states = ControlState.objects.filter(project=world.project, control="neon")
    assert "No API key is stored" in states.get().unknown_reason


def test_a_control_that_breaks_is_unknown_and_says_nothing_of_what_it_saw(caplog: pytest.LogCaptureFixture) -> None:
    def broken(text: str) -> list[Any]:
        raise ValueError(text)

    verdict = verdict_of("broken", broken, "patient Jane Roe")
    assert isinstance(verdict, CouldNotTell)
    assert "Jane" not in verdict.reason + caplog.text


def test_a_look_that_can_not_be_judged_is_unknown(world: World, caplog: pytest.LogCaptureFixture) -> None:
    make_healthy(world)
    value = "patient Jane Roe"

    def broken(*args: Any) -> None:
        raise RuntimeError(value)

    world.patch.setattr("backups.services.monitor.conclude.take_samples", broken)
    world.look()
    assert situation(database_now()).health == "unknown"
    state = ControlState.objects.filter(branch=world.branch, control="history").get()
    assert "RuntimeError" in state.unknown_reason
    assert value not in caplog.text
    world.patch.undo()
    world.look()
    assert situation(database_now()).health == "healthy"


def test_old_answers_are_unknown(world: World) -> None:
    make_healthy(world)
    assert situation(database_now()).health == "healthy"
    ControlState.objects.filter(control="history").update(last_tried_at=timezone.now() - dt.timedelta(hours=1))
    found = situation(database_now())
    assert (found.health, found.branches[0].health) == ("unknown", "unknown")
    assert "has not asked this lately" in found.unknown[0].reason


def test_the_same_thing_seen_twice_is_one_finding(world: World) -> None:
    seen = Observation(code=C.ORPHAN, subject="br-1", sentence="It is there.")
    answer = Answer("orphans", [seen, seen])
    assert Reconciliation(world.project, database_now(), SYSTEM).apply([answer]).opened == 1


def test_a_look_that_was_overtaken_writes_nothing(world: World) -> None:
    (held,) = claim_projects(only_due=True)
    prepared = prepare(held)
    ProjectWatch.objects.update(fence=held.fence + 1)
    tally = cycle._conclude(prepared, NeonFacts.untold(prepared.questions, "late"), SYSTEM)
    assert tally.answered == tally.unknown == 0
    assert not ControlState.objects.exists()


def test_two_processes_do_not_look_at_one_project(world: World) -> None:
    assert [held.project_id for held in claim_projects(only_due=False)] == [world.project.pk]
    assert claim_projects(only_due=False) == []


def test_the_duty_does_nothing_before_it_is_due(world: World) -> None:
    world.settings.MONITOR_FIRST_SECONDS = 3600
    assert not cycle.monitor_when_due(), "a worker that has just started has given no sign of life yet"
    world.settings.MONITOR_FIRST_SECONDS = 0
    assert cycle.monitor_when_due()
    assert not cycle.monitor_when_due()
    ProjectWatch.objects.update(next_at=timezone.now())
    assert cycle.monitor_when_due()


def test_who_was_not_reached_comes_first(world: World) -> None:
    other = factories.project(neon_project_id="other-river-12345678", api_host=world.sandbox.url)
    world.look()
    ProjectWatch.objects.filter(project=world.project).update(known_at=timezone.now())
    ProjectWatch.objects.filter(project=other).update(known_at=None)
    assert [held.project_id for held in claim_projects(only_due=False)] == [other.pk, world.project.pk]


def test_a_finding_that_grows_worse_is_an_event_and_told(world: World, people: People) -> None:
    world.look()
    Finding.objects.filter(code=C.DRILL_MISSING).update(severity=Severity.NOTICE)
    world.look()
    event = LedgerEvent.objects.get(type="finding.changed")
    assert (event.members["data"]["before"], event.members["data"]["after"]) == ("notice", "warning")
    assert OutboxMessage.objects.filter(topic="finding.worse").exists()


def test_figures_are_kept_once_in_an_interval(world: World) -> None:
    world.look()
    number = MetricSample.objects.count()
    assert number
    world.look()
    assert MetricSample.objects.count() == number


def test_judging_asks_the_database_a_bounded_number_of_times(world: World, django_assert_max_num_queries: Any) -> None:
    world.look()
    (held,) = claim_projects(only_due=False)
    prepared = prepare(held)
    facts = cycle._read(prepared, float("inf"))
    with django_assert_max_num_queries(40):
        conclude(prepared, facts, actor=SYSTEM)


def test_the_command_says_healthy_findings_or_unknown(world: World) -> None:
    make_healthy(world)
    assert _status() == 0
    world.api.call("PUT", f"/branches/{world.branch_id}/backup_schedule", {"schedule": []})
    assert _status() == 1
    Finding.objects.filter(code=C.SCHEDULE_OUTSIDE).update(closed_at=timezone.now())
    world.declare_as_found()
    world.look()
    Finding.objects.filter(closed_at__isnull=True).exclude(severity="notice").update(closed_at=timezone.now())
    world.settings.MONITOR_CALL_SECONDS = 0.2
    world.sandbox.faults.add("status", path=world.project.neon_project_id, times=None, status=503)
    assert _status() == 2


def test_the_command_for_programs(world: World) -> None:
    out = StringIO()
    with pytest.raises(SystemExit, match="1"):
        call_command("check_backups", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert found["status"] == "findings"
    assert {each["code"] for each in found["open_findings"]} == {"drill_missing", "snapshot_awaited"}
    assert found["branches"][0]["name"] == "main"


def _status() -> int:
    try:
        call_command("check_backups", stdout=StringIO())
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_pace_keeps_below_neons_limits() -> None:
    clock = _Clock()
    pace = Pace(calls_a_minute=60, clock=clock, sleep=clock.sleep)
    for number in range(90):
        assert pace.wait(key="k", route=f"r{number % 3}", longest_seconds=100)
    # Sixty at once, and then one a second.
    assert 29 <= clock.now <= 31
    assert not pace.wait(key="k", route="r", longest_seconds=0.1)
    assert pace.wait(key="another", route="r", longest_seconds=0)


def test_the_pace_bounds_one_route() -> None:
    clock = _Clock()
    pace = Pace(calls_a_minute=10_000, clock=clock, sleep=clock.sleep)
    for _ in range(45):
        pace.wait(key="k", route="branches", longest_seconds=100, calls=2)
    assert 1.9 <= clock.now <= 2.1


def test_the_history_is_measured_once_an_hour_where_neon_tells_it(world: World) -> None:
    hour = dt.timedelta(hours=1)
    end = timezone.now().replace(minute=0, second=0, microsecond=0)
    amounts = {"instant_restore_bytes_month": 5 * 10**9, "compute_unit_seconds": 1800}
    frames = [Timeframe(end - (n + 1) * hour, end - n * hour, amounts) for n in range(4)]
    usage = Usage(world.project.neon_project_id, None, (Period("p", "scale", None, None, tuple(frames)),))
    asked: list[object] = []

    def answer(self: Consumption, org_id: str, **named: object) -> tuple[Usage, ...]:
        asked.append(named["project_ids"])
        return (usage,)

    world.patch.setattr(Consumption, "projects", answer)
    world.look()
    world.look()
    assert asked == [[world.project.neon_project_id]]
    found = dict(MetricSample.objects.filter(branch__isnull=True).values_list("name", "value"))
    assert found["history_bytes"] == pytest.approx(5 * 10**9)
    assert found["compute_cu_hours_a_day"] == pytest.approx(12.0)


def test_a_key_that_may_not_know_the_consumption_leaves_everything_else_known(world: World) -> None:
    world.sandbox.faults.add("status", path="/consumption_history", times=None, status=403)
    world.look()
    assert not ControlState.objects.filter(unknown_since__isnull=False).exists()
    assert not MetricSample.objects.filter(name="history_bytes").exists()
