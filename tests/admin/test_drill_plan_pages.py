"""Plans on their pages: made, previewed, changed, run, retired; and what is refused stands beside its field."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse

from backups.domain.drill import DrillState
from backups.models import Canary, Drill, DrillPlan, DrillSlot, LedgerEvent
from backups.selectors.clock import database_now
from tests.admin.test_pages_show import text_of
from tests.support.drills import automatic_drill, plan_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def main(scenes):
    return scenes.staging_ready()


@pytest.fixture
def alice(people, log_in):
    return log_in(people.alice)


def typed(main, **changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "branch": str(main.pk),
        "name": "Each Monday",
        "scenario": "rehearsal",
        "schedule_kind": "cron",
        "cron": "0 3 * * 1",
        "point_choice": "random",
        "rto_minutes": "15",
        "rpo_minutes": "5",
        "limit_minutes": "30",
        "good_for_days": "8",
        "grace_minutes": "60",
        "tolerance_parts_per_million": "0",
        "check-0-title": "Doses are there",
        "check-0-statement": "SELECT count(*) FROM medication_logs",
        "check-0-operator": ">",
        "check-0-expected": "0",
        "check-0-is_required": "on",
    }
    return fields | changes


def test_a_plan_is_made_and_says_when_it_is_due(alice, main):
    answer = alice.post(reverse("ops:plan-new"), typed(main), follow=True)
    plan = DrillPlan.objects.get()
    words = text_of(answer)
    assert "At 03:00 on Monday, in UTC" in words
    assert "SELECT count(*) FROM medication_logs" in words
    assert "Its answer is more than 0" in words
    mondays = [at for at in answer.context["schedule"].times if (at.weekday(), at.hour, at.tzinfo) == (0, 3, dt.UTC)]
    assert len(mondays) == 5
    assert (plan.good_for_seconds, plan.rto_objective_seconds, plan.cron) == (8 * 86_400, 900, "0 3 * * 1")


def test_the_next_times_are_shown_before_anything_is_saved(alice, main):
    answer = alice.post(reverse("ops:plan-new"), typed(main, preview="yes", name=""))
    assert "Nothing is saved yet." in text_of(answer)
    assert "At 03:00 on Monday, in UTC" in text_of(answer)
    assert answer.context["form"]["cron"].value() == "0 3 * * 1"
    assert not DrillPlan.objects.exists()
    every = alice.post(
        reverse("ops:plan-new"), typed(main, preview="yes", schedule_kind="interval", interval_minutes="90")
    )
    assert "Every 1 h 30 min" in text_of(every)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"name": ""}, "name", "required"),
        ({"cron": "61 3 * * 1"}, "cron", "0 3 * * 1 is each Monday"),
        ({"cron": "0 3 *"}, "cron", "five fields"),
        ({"schedule_kind": "interval"}, "interval_minutes", "at least 60 seconds"),
        ({"point_choice": "fixed_age"}, "point_age_minutes", "how far to go back"),
        ({"point_choice": "fixed_age", "point_age_minutes": "99999"}, "point_age_minutes", "Neon keeps only"),
        ({"rto_minutes": "0"}, "rto_minutes", "greater than or equal to 1"),
        ({"left_out_checks": ["no-such-check"]}, "left_out_checks", "not one of the available choices"),
    ],
)
def test_what_cannot_be_used_stands_beside_its_field_and_nothing_is_stored(alice, main, changes, field, sentence):
    answer = alice.post(reverse("ops:plan-new"), typed(main, **changes))
    assert answer.status_code == 422
    assert sentence in " ".join(answer.context["form"].errors[field])
    assert not DrillPlan.objects.exists()


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("", "Write one statement"),
        ("DELETE FROM medication_logs", "may only read"),
        ("SELECT 1; SELECT 2", "more than one"),
    ],
)
def test_a_check_that_cannot_be_used_is_refused_in_its_own_row(alice, main, statement, sentence):
    answer = alice.post(reverse("ops:plan-new"), typed(main, **{"check-0-statement": statement}))
    assert answer.status_code == 422
    assert sentence in str(answer.context["rows"].forms[0].errors)
    assert "Doses are there" in answer.content.decode()
    assert not DrillPlan.objects.exists()


def test_a_plan_is_changed_and_what_ran_keeps_it_as_it_was(alice, main):
    alice.post(reverse("ops:plan-new"), typed(main))
    plan = DrillPlan.objects.get()
    form = alice.get(reverse("ops:plan-edit", args=[plan.pk])).context["form"]
    assert (form["cron"].value(), form["good_for_days"].value()) == ("0 3 * * 1", 8)
    changes = {"name": "Daily", "cron": "0 4 * * *", "check-0-title": "", "check-0-statement": ""}
    answer = alice.post(reverse("ops:plan-edit", args=[plan.pk]), typed(main, **changes), follow=True)
    assert "At 04:00 every day, in UTC" in text_of(answer)
    assert not plan.own_checks.exists()
    assert LedgerEvent.objects.filter(type="drill.plan_changed").count() == 1


def test_a_plan_is_run_now_and_only_once(alice, main):
    plan = plan_of(main)
    answer = alice.post(reverse("ops:plan-run", args=[plan.pk]), follow=True)
    drill = Drill.objects.get()
    assert answer.redirect_chain[-1][0] == f"/drills/{drill.pk}/"
    assert "This drill waits for its turn" in text_of(answer)
    again = alice.post(reverse("ops:plan-run", args=[plan.pk]), follow=True)
    assert "has not ended yet" in text_of(again)
    assert Drill.objects.count() == 1
    ended = alice.post(reverse("ops:drill-cancel", args=[drill.pk]), follow=True)
    assert "It ends now." in text_of(ended)
    drill.refresh_from_db()
    assert drill.state == DrillState.CANCELLED


def test_a_retired_plan_offers_nothing_and_proves_nothing_by_itself(alice, main):
    plan = plan_of(main)
    automatic_drill(main, plan=plan)
    alice.post(reverse("ops:plan-retire", args=[plan.pk]), {"reason": "The branch moves"})
    answer = alice.get(reverse("ops:plan", args=[plan.pk]))
    assert "Retired" in text_of(answer)
    assert answer.context["can"] == set()
    assert "No drill plan" in text_of(answer)


def test_missed_times_are_shown_with_their_reason(alice, main):
    plan = plan_of(main)
    due = database_now() - dt.timedelta(hours=3)
    DrillSlot.objects.create(
        plan=plan, due_at=due, state="missed", sentence="The portal's worker was not running then."
    )
    assert "was not running then" in text_of(alice.get(reverse("ops:plan", args=[plan.pk])))
    assert "Missed Weekly" in text_of(alice.get(reverse("ops:drills"), {"month": f"{due:%Y-%m}"}))


def test_the_calendar_looks_ahead(alice, main):
    alice.post(reverse("ops:plan-new"), typed(main, cron="*/10 * * * *"))
    ahead = database_now().replace(day=1) + dt.timedelta(days=40)
    answer = alice.get(reverse("ops:drills"), {"month": f"{ahead:%Y-%m}"})
    days = [day for day in answer.context["month"].days if day.entries]
    assert len(days) == len(answer.context["month"].days), "no day is left out, however often the plan runs"
    assert "00:00 Planned more than 3 times Each Monday" in text_of(answer)


def test_auditors_read_plans_and_change_nothing(people, log_in, main):
    plan = plan_of(main)
    answer = log_in(people.dana).get(reverse("ops:plan", args=[plan.pk]))
    assert '<form method="post" action="/drills/' not in answer.content.decode()
    assert "An engineer runs drills" in text_of(answer)


def test_the_canary_says_what_it_writes_before_it_does(alice, people, log_in, main):
    plan, address = plan_of(main), reverse("ops:canary", args=[main.pk])
    assert "Turn it on" in text_of(alice.get(reverse("ops:plan", args=[plan.pk])))
    words = text_of(alice.get(address))
    assert "ops_canary.beat" in words
    for wrong in ("", "x", "1", "99999999"):
        refused = alice.post(address, {"act": "start", "every_seconds": wrong})
        assert (refused.status_code, Canary.objects.exists()) == (422, False), wrong
    assert "every 30 s" in text_of(alice.post(address, {"act": "start", "every_seconds": "30"}, follow=True))
    assert "On: one numbered row every 30 s" in text_of(alice.get(reverse("ops:plan", args=[plan.pk])))
    assert "Its table stays." in text_of(alice.post(address, {"act": "stop"}, follow=True))
    assert not Canary.objects.get().is_on
