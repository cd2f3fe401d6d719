"""What PostgreSQL holds of drills, attacked as the portal's own role and as the owner of the tables."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from backups.domain.execution import CheckOutcome
from backups.models import Drill, DrillSlot
from backups.selectors.clock import database_now
from tests.services.drill.conftest import StubbedChecks
from tests.services.drill.rehearsing import begun, planned, rehearsed
from tests.services.execution.scene import Scene
from tests.support.database import RunSql

BETTER = {
    "outcome": "UPDATE backups_drill SET outcome = 'passed'",
    "time": "UPDATE backups_drill SET rto_milliseconds = 1",
    "point": "UPDATE backups_drill SET point_at = window_to",
    "begun again": "UPDATE backups_drill SET state = 'running', outcome = NULL",
    "removed": "DELETE FROM backups_drill",
}


@pytest.mark.parametrize("statement", BETTER.values(), ids=BETTER)
def test_what_a_drill_has_shown_stays(scene: Scene, checks: StubbedChecks, as_owner: RunSql, statement: str) -> None:
    checks.outcomes["row_counts"] = CheckOutcome.FAILED
    drill = rehearsed(scene)
    with pytest.raises(Exception, match=r"the drill is over|never changed or removed"):
        as_owner(statement)
    with pytest.raises(ProgrammingError, match=r"the drill is over|never changed or removed"), transaction.atomic():
        connection.cursor().execute(statement)
    after = Drill.objects.get(pk=drill.pk)
    assert (after.state, after.outcome, after.point_at) == ("ended", "failed", drill.point_at)


def test_no_drill_passes_after_its_objective(scene: Scene) -> None:
    run = begun(scene)
    late: dict[str, Any] = {"state": "ended", "outcome": "passed", "ended_at": database_now()}
    with pytest.raises(IntegrityError, match="drill_passed_in_time"), transaction.atomic():
        Drill.objects.filter(executions=run).update(**late, rto_milliseconds=900_001)
    Drill.objects.filter(executions=run).update(**late, rto_milliseconds=900_000)


def test_no_point_lies_outside_its_window(scene: Scene) -> None:
    begun(scene)
    now = database_now()
    with pytest.raises(IntegrityError, match="drill_point_in_window"), transaction.atomic():
        Drill.objects.update(window_from=now, window_to=now, point_at=now.replace(year=2020))


def test_a_slot_never_changes(scene: Scene, as_owner: RunSql) -> None:
    DrillSlot.objects.create(
        plan=planned(scene), due_at=database_now(), state="missed", sentence="The worker was not running."
    )
    with pytest.raises(Exception, match="never changed or removed"):
        as_owner("UPDATE backups_drillslot SET sentence = 'It was fine'")
    with pytest.raises(ProgrammingError, match="permission denied"):
        DrillSlot.objects.update(sentence="It was fine")
