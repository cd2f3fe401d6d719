"""Duties: opened by time, completed by proof or by a person's word, and missed ones told once."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from backups.domain.duty import DUTIES, Cadence, period_at
from backups.domain.ledger import Outcome
from backups.domain.people import SYSTEM
from backups.models import DutyTask, LedgerEvent, MonitorRun, OutboxMessage
from backups.selectors.clock import database_now
from backups.selectors.duty_proof import _PROOFS
from backups.services import duties
from backups.services.duties import keep_duties, say_done
from backups.services.ledger import record_event
from backups.services.restore.errors import InvalidInput, Refused
from tests.factories import branch
from tests.support.drills import ExerciseScene, automatic_drill, plan_of

DAY = dt.timedelta(days=1)
MOMENTS = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001


@given(st.sampled_from([each for each in Cadence if each is not Cadence.ONCE]), MOMENTS)
def test_periods_follow_each_other_without_a_gap(cadence, now):
    period = period_at(cadence, now, first_seen_at=now)
    assert period.starts_at <= now < period.due_at
    assert period_at(cadence, period.due_at, first_seen_at=now).starts_at == period.due_at
    assert period_at(cadence, period.due_at - dt.timedelta(microseconds=1), first_seen_at=now) == period


def test_whoever_may_say_a_duty_exists_in_a_role():
    assert all((duty.capability is None) is duty.is_seen for duty in DUTIES.values())


@pytest.fixture
def clock(monkeypatch, db):
    """`clock(days=1)`: the portal's clock goes ahead."""
    real, ahead = database_now, [dt.timedelta()]
    monkeypatch.setattr(duties, "database_now", lambda: real() + ahead[0])

    def go(**by: float) -> dt.datetime:
        ahead[0] += dt.timedelta(**by)
        return real() + ahead[0]

    return go


def state(code: str) -> str:
    task = DutyTask.objects.filter(code=code).order_by("-period_from")[0]
    return "done" if task.done_at else "told" if task.told_overdue_at else "open"


def test_every_duty_gets_one_task_however_often_it_is_looked_at(clock):
    keep_duties()
    keep_duties()
    assert sorted(DutyTask.objects.values_list("code", flat=True)) == sorted(DUTIES)


def test_a_drill_completes_its_week_and_not_the_next(people, clock):
    main = branch()
    keep_duties()
    assert state("drill_passed") == "open"
    automatic_drill(main, ended_ago=dt.timedelta(seconds=1))
    keep_duties()
    assert state("drill_passed") == "done"
    assert DutyTask.objects.get(code="drill_passed").proof == "A drill passed for every production branch: 1 in care."
    clock(days=7)
    keep_duties()
    assert state("drill_passed") == "open"
    assert LedgerEvent.objects.filter(type="duty.done", target_id="drill_passed").count() == 1


def test_what_was_missed_is_told_once_and_stays_missed(people, clock):
    assert people.bob
    branch()
    keep_duties()
    clock(days=1)
    keep_duties()
    keep_duties()
    missed = DutyTask.objects.filter(code="backups_checked").order_by("period_from")[0]
    assert missed.told_overdue_at
    assert LedgerEvent.objects.filter(type="duty.overdue", target_id="backups_checked").count() == 1
    told = OutboxMessage.objects.filter(text__contains="Backups were checked")
    assert told.count() == told.values("person", "channel").distinct().count() > 0
    _monitor_ran(database_now() + DAY)
    keep_duties()
    missed.refresh_from_db()
    assert missed.done_at is None
    assert state("backups_checked") == "done"


def _monitor_ran(at: dt.datetime) -> None:
    MonitorRun.objects.create(
        origin="worker", started_at=at, ended_at=at, projects=1, calls=1, failed_calls=0, answered=3, unknown=0,
        opened=0, closed=0,
    )  # fmt: skip


def test_a_duty_of_one_time_can_be_done_late(people, clock):
    assert people.bob
    keep_duties()
    clock(days=15)
    keep_duties()
    assert state("plan_drills") == "told"
    plan_of(branch(), schedule_kind="cron", cron="0 3 * * 1")
    keep_duties()
    assert state("plan_drills") == "done"
    clock(days=400)
    keep_duties()
    assert DutyTask.objects.filter(code="plan_drills").count() == 1


def test_a_signed_exercise_is_the_years_proof(people, clock):
    main = branch()
    ExerciseScene(people, main).end()
    keep_duties()
    assert state("exercise_held") == "open"
    ExerciseScene(people, main, "Another").end(signed_by=people.bob)
    keep_duties()
    assert state("exercise_held") == "done"


@pytest.mark.parametrize(("outcome", "is_done"), [(Outcome.SUCCESS, True), (Outcome.FAILURE, False)])
def test_only_a_verification_that_went_well_proves_the_log(clock, outcome, is_done):
    with transaction.atomic():
        record_event(type="ledger.verified", actor=SYSTEM, outcome=outcome, details={"findings_count": 0})
    keep_duties()
    assert (state("ledger_verified") == "done") is is_done


def test_every_seen_duty_has_its_proof():
    assert {code for code, duty in DUTIES.items() if duty.is_seen} == set(_PROOFS)


def test_a_person_says_what_the_portal_cannot_see_with_a_reason(people, clock):
    with pytest.raises(InvalidInput):
        say_done(actor=people.dana.actor, code="people_reviewed", reason=" ")
    task = say_done(actor=people.dana.actor, code="people_reviewed", reason="All six are still with us")
    assert (task.done_by_name, task.reason.text) == ("dana", "All six are still with us")
    with pytest.raises(Refused, match="already"):
        say_done(actor=people.dana.actor, code="people_reviewed", reason="Again")
    assert "All six" not in LedgerEvent.objects.get(type="duty.done").body


@pytest.mark.parametrize(
    ("who", "code"),
    [("alice", "people_reviewed"), ("charlie", "off_site_copy"), ("erin", "drill_passed"), ("bob", "no_such_duty")],
)
def test_no_word_replaces_what_the_portal_must_see_and_not_everybodys_counts(people, clock, who, code):
    with pytest.raises(Refused):
        say_done(actor=getattr(people, who).actor, code=code, reason="Trust me")
    assert LedgerEvent.objects.filter(type="access.refused", target_id=code).count() == 1
    assert not DutyTask.objects.filter(done_at__isnull=False).exists()
