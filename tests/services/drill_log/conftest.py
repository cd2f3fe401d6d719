"""An exercise that Alice logs, and an automatic drill that nobody or somebody asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from backups.domain.drill import DrillOutcome, DrillState, DrillType
from backups.domain.restore import Scenario
from backups.models import Drill, DrillPlan, ProtectedBranch
from backups.selectors.clock import database_now
from backups.services.drill_log.exercise import Ending, Exercise, end_exercise, plan_exercise
from tests.factories import People, branch

MakeExercise = Callable[..., Drill]


@pytest.fixture
def main(db: None) -> ProtectedBranch:
    return branch()


def exercise(of: ProtectedBranch, **changes: Any) -> Exercise:
    """A tabletop about deleted rows."""
    fields: dict[str, Any] = {
        "type": DrillType.TABLETOP,
        "title": "Rows deleted on a Sunday night",
        "project_id": of.project_id,
        "branch_id": of.pk,
        "scenario": Scenario.ACCIDENTAL_DELETION,
        "story": "At 02:00 a clean-up script deletes medication logs. Only one manager answers.",
    }
    return Exercise(**(fields | changes))


def ending(**changes: Any) -> Ending:
    """It passed, half an hour after the damage was noticed."""
    now = database_now()
    fields: dict[str, Any] = {
        "outcome": DrillOutcome.PASSED,
        "conclusion": "Everybody knew what to do. The second approver was hard to reach.",
        "ended_at": now - dt.timedelta(minutes=1),
        "noticed_at": now - dt.timedelta(minutes=40),
        "verified_at": now - dt.timedelta(minutes=10),
    }
    return Ending(**(fields | changes))


@pytest.fixture
def planned(people: People, main: ProtectedBranch) -> Drill:
    return plan_exercise(actor=people.alice.actor, exercise=exercise(main))


@pytest.fixture
def ended(people: People, planned: Drill) -> Drill:
    return end_exercise(actor=people.alice.actor, drill_id=planned.pk, ending=ending())


@pytest.fixture
def automatic(people: People, main: ProtectedBranch) -> MakeExercise:
    """`automatic(asked_by=people.alice)`: a drill that the portal ran, passed unless told otherwise."""

    def make(asked_by: Any = None, **changes: Any) -> Drill:
        plan, _ = DrillPlan.objects.get_or_create(branch=main, name="Weekly", defaults={"created_by_name": "alice"})
        fields: dict[str, Any] = {
            "type": DrillType.FUNCTIONAL,
            "is_automatic": True,
            "state": DrillState.ENDED,
            "outcome": DrillOutcome.PASSED,
            "ended_at": database_now(),
            "title": plan.name,
            "project": main.project,
            "branch": main,
            "plan": plan,
            "scenario": Scenario.REHEARSAL,
            "asked_by": asked_by.user if asked_by else None,
            "asked_by_name": asked_by.actor.name if asked_by else "portal",
        }
        return Drill.objects.create(**(fields | changes))

    return make
