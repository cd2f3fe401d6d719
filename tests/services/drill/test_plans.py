"""Plans: who may make and change them, and what is said beside a field that can't be used."""

from __future__ import annotations

from typing import Any

import pytest

from backups.domain.drill import PointChoice, ScheduleKind
from backups.models import Drill, DrillPlan, Execution, LedgerEvent, ProtectedBranch
from backups.services.drill.input import OwnCheck, PlanWish
from backups.services.drill.plans import change_plan, create_plan, retire_plan
from backups.services.drill.run import cancel_drill, run_plan_now
from backups.services.restore.errors import InvalidInput, Refused
from tests import factories
from tests.factories import People

pytestmark = pytest.mark.django_db


@pytest.fixture
def governed(db: None) -> ProtectedBranch:
    return factories.branch()


def wish(branch: ProtectedBranch, **fields: Any) -> PlanWish:
    defaults: dict[str, Any] = {"branch_id": branch.pk, "name": "Weekly proof"}
    return PlanWish(**(defaults | fields))


def events(kind: str) -> int:
    return LedgerEvent.objects.filter(type=kind).count()


def test_engineers_and_managers_make_plans(governed: ProtectedBranch, people: People) -> None:
    check = OwnCheck(title="Doses", statement="SELECT count(*) FROM doses", operator=">", expected="0")
    plan = create_plan(actor=people.alice.actor, wish=wish(governed, own_checks=(check,)))
    create_plan(actor=people.bob.actor, wish=wish(governed, name="Another"))
    assert [each.title for each in plan.own_checks.all()] == ["Doses"]
    assert events("drill.plan_created") == 2


@pytest.mark.parametrize("name", ["dana", "erin", "charlie"])
def test_others_are_refused_and_the_refusal_is_recorded(governed: ProtectedBranch, people: People, name: str) -> None:
    with pytest.raises(Refused, match="does not let you change drill plans"):
        create_plan(actor=getattr(people, name).actor, wish=wish(governed))
    assert (DrillPlan.objects.count(), events("access.refused")) == (0, 1)


CRON = {"schedule_kind": ScheduleKind.CRON}


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"name": "  "}, "name", "Give the plan a name"),
        (CRON | {"cron": "0 3 * *"}, "cron", "five fields"),
        (CRON | {"cron": "0 30 3 * * *"}, "cron", "five fields"),
        (CRON | {"cron": "61 3 * * *"}, "cron", "Bad minute"),
        (CRON | {"cron": "0 3 31 2 *"}, "cron", "Bad day"),
        ({"schedule_kind": ScheduleKind.INTERVAL, "interval_seconds": 5}, "interval_seconds", "at least 60"),
        ({"point_choice": PointChoice.FIXED_AGE}, "point_age_seconds", "how far to go back"),
        (
            {"point_choice": PointChoice.FIXED_AGE, "point_age_seconds": 7 * 24 * 3600},
            "point_age_seconds",
            "keeps only",
        ),
        ({"time_limit_seconds": 29}, "time_limit_seconds", "between 30"),
        ({"rto_objective_seconds": 0}, "rto_objective_seconds", "at least one second"),
        ({"own_checks": (OwnCheck(title="x", statement=" ", operator="="),)}, "own_checks", "Write one statement"),
    ],
)
def test_what_cant_be_used_is_said_beside_its_field(
    governed: ProtectedBranch, people: People, fields: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_plan(actor=people.alice.actor, wish=wish(governed, **fields))
    assert sentence in refused.value.errors[field]
    assert not DrillPlan.objects.exists()


def test_two_plans_of_a_branch_have_two_names(governed: ProtectedBranch, people: People) -> None:
    create_plan(actor=people.alice.actor, wish=wish(governed))
    with pytest.raises(InvalidInput, match="a plan of that name"):
        create_plan(actor=people.alice.actor, wish=wish(governed))


def test_a_change_names_the_fields_and_leaves_what_ran(governed: ProtectedBranch, people: People) -> None:
    plan = create_plan(actor=people.alice.actor, wish=wish(governed))
    drill = run_plan_now(actor=people.alice.actor, plan_id=plan.pk)
    change_plan(actor=people.bob.actor, plan_id=plan.pk, wish=wish(governed, rto_objective_seconds=60))
    change_plan(actor=people.bob.actor, plan_id=plan.pk, wish=wish(governed, rto_objective_seconds=60))
    (event,) = LedgerEvent.objects.filter(type="drill.plan_changed")
    assert '"changed_fields":["rto_objective_seconds"]' in event.body
    drill.refresh_from_db()
    assert (drill.rto_objective_seconds, drill.plan_facts["rto_objective_seconds"]) == (900, 900)


def test_a_retired_plan_runs_no_more(governed: ProtectedBranch, people: People) -> None:
    plan = create_plan(actor=people.alice.actor, wish=wish(governed))
    retire_plan(actor=people.bob.actor, plan_id=plan.pk, reason="The branch is replaced next week")
    with pytest.raises(Refused, match="retired"):
        run_plan_now(actor=people.alice.actor, plan_id=plan.pk)
    with pytest.raises(Refused, match="retired"):
        change_plan(actor=people.alice.actor, plan_id=plan.pk, wish=wish(governed))


@pytest.mark.parametrize("name", ["bob", "dana", "erin", "charlie"])
def test_only_engineers_run_and_cancel(governed: ProtectedBranch, people: People, name: str) -> None:
    plan = create_plan(actor=people.alice.actor, wish=wish(governed))
    with pytest.raises(Refused, match="does not let you run a drill"):
        run_plan_now(actor=getattr(people, name).actor, plan_id=plan.pk)
    drill = run_plan_now(actor=people.alice.actor, plan_id=plan.pk)
    with pytest.raises(Refused, match="does not let you cancel"):
        cancel_drill(actor=getattr(people, name).actor, drill_id=drill.pk)
    assert events("access.refused") == 2


def test_one_drill_of_a_plan_at_a_time(governed: ProtectedBranch, people: People) -> None:
    plan = create_plan(actor=people.alice.actor, wish=wish(governed))
    drill = run_plan_now(actor=people.alice.actor, plan_id=plan.pk, reason="Before the audit")
    assert (drill.state, drill.asked_by_name) == ("waiting", "alice")
    with pytest.raises(Refused, match="has not ended yet"):
        run_plan_now(actor=people.alice.actor, plan_id=plan.pk)
    assert (Drill.objects.count(), Execution.objects.count()) == (1, 1)


def test_one_that_has_not_begun_is_cancelled_at_once(governed: ProtectedBranch, people: People) -> None:
    plan = create_plan(actor=people.alice.actor, wish=wish(governed))
    drill = run_plan_now(actor=people.alice.actor, plan_id=plan.pk)
    cancel_drill(actor=people.alice.actor, drill_id=drill.pk, reason="Wrong plan")
    drill.refresh_from_db()
    run = Execution.objects.get(drill=drill)
    assert (drill.state, drill.outcome, run.state, run.outcome_code) == ("cancelled", None, "finished", "cancelled")
    assert events("drill.cancelled") == 1
    with pytest.raises(Refused, match="over already"):
        cancel_drill(actor=people.alice.actor, drill_id=drill.pk)


def test_no_plan_and_no_drill_for_a_branch_that_is_gone(governed: ProtectedBranch, people: People) -> None:
    plan = create_plan(actor=people.alice.actor, wish=wish(governed))
    ProtectedBranch.objects.update(missing_since=plan.created_at)
    with pytest.raises(Refused, match="no longer has this branch"):
        create_plan(actor=people.alice.actor, wish=wish(governed, name="Another"))
    with pytest.raises(Refused, match="no longer has this branch"):
        run_plan_now(actor=people.alice.actor, plan_id=plan.pk)
