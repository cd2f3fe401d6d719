"""Times of schedules: the same ones whoever asks, however often, and from wherever."""

from __future__ import annotations

import datetime as dt
import random
from itertools import islice, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backups.models import DrillPlan, DrillSlot, ProtectedBranch
from backups.services.drill.planner import plan_due_drills
from backups.services.drill.schedule import cron_problem, times_after
from tests import factories
from tests.factories import People
from tests.services.drill.test_planner import MovedClock, begin_at, clock, end_all, planned

__all__ = ["clock"]

UTC = dt.UTC
FIELD = {
    "minute": st.sampled_from(["*", "0", "*/7", "3,17,59", "10-20", "30"]),
    "hour": st.sampled_from(["*", "0", "*/5", "2", "1-3", "23"]),
    "day": st.sampled_from(["*", "1", "*/9", "28-31", "L"]),
    "month": st.sampled_from(["*", "3", "11", "*/4", "JAN-JUN"]),
    "weekday": st.sampled_from(["*", "0", "MON", "5L", "SUN#2", "1-5"]),
}
CRON = st.tuples(*FIELD.values()).map(" ".join)
ZONES = st.sampled_from([UTC, dt.timezone(dt.timedelta(hours=-5))])
MOMENTS = st.tuples(st.integers(0, 95_000_000), ZONES).map(
    lambda drawn: (dt.datetime(2026, 1, 1, tzinfo=UTC) + dt.timedelta(seconds=drawn[0])).astimezone(drawn[1])
)


def plan_of(cron: str) -> DrillPlan:
    return DrillPlan(schedule_kind="cron", cron=cron)


@settings(max_examples=60)
@given(CRON, MOMENTS, st.integers(1, 8))
def test_asked_in_two_halves_it_gives_the_same_times(cron: str, after: dt.datetime, half: int) -> None:
    if cron_problem(cron):
        return
    whole = list(islice(times_after(plan_of(cron), after), 10))
    assert all(later > earlier for earlier, later in zip([after, *whole], whole, strict=False))
    assert all(at.utcoffset() == dt.timedelta(0) and at.second == 0 for at in whole)
    again = list(islice(times_after(plan_of(cron), whole[half - 1]), 10 - half))
    assert again == whole[half:]


@given(st.integers(60, 10**7), MOMENTS, MOMENTS)
def test_intervals_keep_their_raster(seconds: int, begins: dt.datetime, after: dt.datetime) -> None:
    plan = DrillPlan(schedule_kind="interval", interval_seconds=seconds, interval_from=begins)
    first = next(times_after(plan, after))
    step = dt.timedelta(seconds=seconds)
    assert first > after
    assert (first - begins) % step == dt.timedelta(0)
    assert first == begins or first - step <= after


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_clock_does_each_time_has_one_slot(people: People, clock: MovedClock, seed: int) -> None:
    """It runs, stands still, jumps ahead over an outage, and is set back by minutes."""
    dice = random.Random(seed)
    branch: ProtectedBranch = factories.branch()
    plan = planned(people, branch, cron="*/20 * * * *", slot_grace_seconds=900)
    begins = dt.datetime(2026, 3, 7, 22, 5, tzinfo=UTC)
    begin_at(plan, begins)
    clock.at = furthest = begins
    for _ in range(40):
        minutes = dice.choice([0, 1, 7, 7, 20, 45, -5, 200])
        clock.at = max(begins, clock.at + dt.timedelta(minutes=minutes))
        furthest = max(furthest, clock.at)
        plan_due_drills()
        if dice.random() < 0.8:
            end_all()
    plan.refresh_from_db()
    settled = list(DrillSlot.objects.order_by("due_at").values_list("due_at", flat=True))
    wanted = list(takewhile(lambda at: at <= furthest, times_after(plan, begins)))
    waiting = [at for at in wanted if at > (plan.planned_until or begins)]
    assert settled == wanted[: len(wanted) - len(waiting)], f"seed {seed}"
    assert len(waiting) <= 1, "only the newest may wait for its grace"
