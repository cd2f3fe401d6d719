"""Planned times: each once, none skipped in silence, whatever clocks, planners and outages do."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backups.domain.drill import ScheduleKind
from backups.domain.execution import ExecutionState
from backups.models import Drill, DrillPlan, DrillSlot, Execution, LedgerEvent, OutboxMessage, ProtectedBranch
from backups.selectors.clock import database_now
from backups.services.drill import planner, slots
from backups.services.drill.input import PlanWish
from backups.services.drill.planner import plan_due_drills
from backups.services.drill.plans import change_plan, create_plan, retire_plan
from backups.services.drill.schedule import next_times
from backups.services.restore.errors import InvalidInput
from tests import factories
from tests.factories import People
from tests.support.database import OwnDatabase

HOURLY = {"schedule_kind": ScheduleKind.CRON, "cron": "30 * * * *"}
UTC = dt.UTC
#: In New York clocks go forward on 8 March 2026 at 07:00 UTC and back on 1 November 2026 at 06:00 UTC.
CHANGES = {"forward": dt.datetime(2026, 3, 8, 7, tzinfo=UTC), "back": dt.datetime(2026, 11, 1, 6, tzinfo=UTC)}


class MovedClock:
    """Stands in for the database's clock where the planner asks it."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = at

    def __call__(self) -> dt.datetime:
        return self.at


@pytest.fixture
def governed(db: None) -> ProtectedBranch:
    return factories.branch()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    moved = MovedClock(database_now() if connection.connection else dt.datetime.now(UTC))
    monkeypatch.setattr(planner, "database_now", moved)
    return moved


@pytest.fixture(params=["UTC", "America/New_York"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The zone of the whole process."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def planned(people: People, branch: ProtectedBranch, **fields: Any) -> DrillPlan:
    wish: dict[str, Any] = {"branch_id": branch.pk, "name": "Proof"}
    return create_plan(actor=people.alice.actor, wish=PlanWish(**(wish | HOURLY | fields)))


def begin_at(plan: DrillPlan, at: dt.datetime) -> None:
    """As if the plan had been made then."""
    DrillPlan.objects.filter(pk=plan.pk).update(planned_until=at)


def end_all() -> None:
    Drill.objects.filter(state="waiting").update(state="cancelled")
    Execution.objects.update(state=ExecutionState.FINISHED)


@pytest.mark.django_db
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("schedule", ["cron", "interval"])
def test_a_change_of_clocks_neither_skips_nor_doubles_a_time(
    people: People, governed: ProtectedBranch, clock: MovedClock, zone: str, change: str, schedule: str
) -> None:
    begins = CHANGES[change] - dt.timedelta(hours=6)
    interval = {"schedule_kind": ScheduleKind.INTERVAL, "cron": "", "interval_seconds": 3600, "interval_from": begins}
    plan = planned(people, governed, **(interval if schedule == "interval" else HOURLY))
    begin_at(plan, begins)
    for minutes in range(0, 12 * 60, 20):
        clock.at = begins + dt.timedelta(minutes=minutes, seconds=7)
        plan_due_drills()
        end_all()
    due = list(DrillSlot.objects.order_by("due_at").values_list("due_at", flat=True))
    first = 60 if schedule == "interval" else 30
    count = 11 if schedule == "interval" else 12
    assert due == [begins + dt.timedelta(minutes=first + 60 * hour) for hour in range(count)]
    assert set(DrillSlot.objects.values_list("state", flat=True)) == {"taken"}
    assert Drill.objects.count() == len(due)


@pytest.mark.django_db
def test_after_an_outage_what_was_missed_is_said_and_one_drill_begins(
    people: People, governed: ProtectedBranch, clock: MovedClock
) -> None:
    plan = planned(people, governed)
    begins = dt.datetime(2026, 5, 4, 0, 0, tzinfo=UTC)
    begin_at(plan, begins)
    clock.at = begins + dt.timedelta(hours=5, minutes=45)
    plan_due_drills()
    states = list(DrillSlot.objects.order_by("due_at").values_list("state", "sentence"))
    assert states == [("missed", "The portal's worker was not running then.")] * 5 + [("taken", "")]
    (event,) = LedgerEvent.objects.filter(type="drill.missed")
    assert '"slots":5' in event.body
    assert Drill.objects.count() == 1
    assert OutboxMessage.objects.filter(topic="drill.missed").exists()


@pytest.mark.django_db
def test_a_time_beyond_its_grace_is_missed(people: People, governed: ProtectedBranch, clock: MovedClock) -> None:
    plan = planned(people, governed, slot_grace_seconds=600)
    begins = dt.datetime(2026, 5, 4, 0, 0, tzinfo=UTC)
    begin_at(plan, begins)
    clock.at = begins + dt.timedelta(minutes=41)
    plan_due_drills()
    assert (DrillSlot.objects.get().state, Drill.objects.count()) == ("missed", 0)


@pytest.mark.django_db
def test_within_its_grace_it_waits_for_the_drill_before_it_and_begins_late(
    people: People, governed: ProtectedBranch, clock: MovedClock
) -> None:
    plan = planned(people, governed)
    begins = dt.datetime(2026, 5, 4, 0, 0, tzinfo=UTC)
    begin_at(plan, begins)
    clock.at = begins + dt.timedelta(minutes=31)
    plan_due_drills()
    clock.at = begins + dt.timedelta(minutes=95)
    plan_due_drills()
    assert DrillSlot.objects.count() == 1
    end_all()
    plan_due_drills()
    assert list(DrillSlot.objects.values_list("state", flat=True)) == ["taken", "taken"]


@pytest.mark.django_db
def test_no_drill_begins_while_production_is_restored_and_the_reason_is_kept(
    people: People, governed: ProtectedBranch, clock: MovedClock
) -> None:
    plan = planned(people, governed, slot_grace_seconds=600)
    request = factories.approve(factories.pending(people.alice, governed), people.bob, people.carol)
    begins = database_now().replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=1)
    begin_at(plan, begins)
    clock.at = begins + dt.timedelta(minutes=35)
    plan_due_drills()
    assert not DrillSlot.objects.exists()
    clock.at = begins + dt.timedelta(minutes=45)
    plan_due_drills()
    assert DrillSlot.objects.get().sentence == f"Production came first: {request.reference}."
    assert not Drill.objects.exists()


@pytest.mark.django_db
def test_a_very_long_outage_is_recorded_pass_by_pass(
    people: People, governed: ProtectedBranch, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots.settle_slots, "__kwdefaults__", {"may_begin": True, "most": 10})
    plan = planned(people, governed)
    begins = dt.datetime(2026, 5, 4, 0, 0, tzinfo=UTC)
    begin_at(plan, begins)
    clock.at = begins + dt.timedelta(hours=25)
    counts = []
    for _ in range(4):
        plan_due_drills()
        counts.append((DrillSlot.objects.count(), Drill.objects.count()))
    assert counts == [(10, 0), (20, 0), (25, 1), (25, 1)]


@pytest.mark.django_db
def test_a_change_settles_the_past_by_the_old_schedule_first(people: People, governed: ProtectedBranch) -> None:
    plan = planned(people, governed)
    begin_at(plan, database_now() - dt.timedelta(hours=3))
    wish = PlanWish(branch_id=governed.pk, name="Proof", schedule_kind=ScheduleKind.CRON, cron="0 0 1 1 *")
    change_plan(actor=people.bob.actor, plan_id=plan.pk, wish=wish)
    slot_times = DrillSlot.objects.filter(state="missed").count()
    assert slot_times == 3
    assert plan_due_drills() == 0
    begin_at(plan, database_now() - dt.timedelta(hours=3))
    retire_plan(actor=people.bob.actor, plan_id=plan.pk)
    assert plan_due_drills() == 0


@pytest.mark.django_db
def test_a_change_waits_until_a_long_past_is_recorded(people: People, governed: ProtectedBranch) -> None:
    plan = planned(people, governed)
    begin_at(plan, database_now() - dt.timedelta(days=60))
    with pytest.raises(InvalidInput, match="still being recorded"):
        retire_plan(actor=people.bob.actor, plan_id=plan.pk)
    assert not DrillSlot.objects.exists()


@pytest.mark.django_db
def test_the_database_holds_each_time_once(people: People, governed: ProtectedBranch) -> None:
    plan = planned(people, governed)
    at = database_now()
    DrillSlot.objects.create(plan=plan, due_at=at, state="missed", sentence="Once")
    with pytest.raises(IntegrityError, match="drill_slot_once"), transaction.atomic():
        DrillSlot.objects.create(plan=plan, due_at=at, state="missed", sentence="Twice")


def test_two_planners_at_once_begin_one_drill(own_database: OwnDatabase) -> None:
    people = People()
    plan = planned(people, factories.branch())
    begin_at(plan, database_now() - dt.timedelta(minutes=61))
    together = threading.Barrier(3)

    def plan_at_once() -> None:
        together.wait(5)
        plan_due_drills()
        connection.close()

    threads = [threading.Thread(target=plan_at_once) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    plan_due_drills()
    assert (Drill.objects.count(), DrillSlot.objects.filter(state="taken").count()) == (1, 1)
    due = list(DrillSlot.objects.values_list("due_at", flat=True))
    assert len(due) == len(set(due))


def test_intervals_are_counted_from_their_beginning() -> None:
    plan = DrillPlan(
        schedule_kind="interval", interval_seconds=7200, interval_from=dt.datetime(2026, 1, 1, 1, tzinfo=UTC)
    )
    after = dt.datetime(2026, 1, 1, 3, tzinfo=UTC)
    assert [at.hour for at in next_times(plan, after, count=3)] == [5, 7, 9]
    before = dt.datetime(2025, 12, 31, tzinfo=UTC)
    assert next_times(plan, before, count=1) == [dt.datetime(2026, 1, 1, 1, tzinfo=UTC)]
