"""Drills against a sandbox: with a database that really goes back, or without one, where only the calls matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backups.domain.execution import CheckOutcome
from backups.services.execution import drill_verify
from backups.verification.drill import CheckVerdict, DrillTarget, PlannedCheck
from tests.factories import People
from tests.services.execution.conftest import quick
from tests.services.execution.scene import Scene, opened_scene
from tests.support.database import OwnDatabase

__all__ = ["quick"]

#: What the checks come to where they are not the subject.
CHECKS = ("connection", "row_counts")


class StubbedChecks:
    """Stands at the boundary of backups.verification: two checks, each with the outcome that the test wants."""

    def __init__(self) -> None:
        self.outcomes: dict[str, CheckOutcome] = {}
        self.figures: dict[str, dict[str, Any]] = {}
        self.runs: list[str] = []

    def plan(self, target: DrillTarget) -> list[PlannedCheck]:
        return [PlannedCheck(code, code.replace("_", " "), target.database, "", True) for code in CHECKS]

    def run(self, planned: PlannedCheck, target: DrillTarget, **_: Any) -> CheckVerdict:
        self.runs.append(planned.code)
        outcome = self.outcomes.get(planned.code, CheckOutcome.PASSED)
        return CheckVerdict(outcome, f"{planned.title}: {outcome.value}", self.figures.get(planned.code, {}))


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> StubbedChecks:
    stub = StubbedChecks()
    monkeypatch.setattr(drill_verify, "plan_checks", stub.plan)
    monkeypatch.setattr(drill_verify, "run_check", stub.run)
    return stub


@pytest.fixture
def scene(own_database: OwnDatabase, quick: None, quiet_database_url: str, settings: Any) -> Iterator[Scene]:
    """A sandbox that has no data; every branch shows one small, quiet database."""
    settings.DRILL_YIELD_SECONDS = 0.02
    settings.DRILL_POINT_MARGIN_SECONDS = 0.05
    with opened_scene(quiet_database_url, People()) as opened:
        yield opened
