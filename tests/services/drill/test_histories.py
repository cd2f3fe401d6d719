"""Random histories of drills: bad answers, deaths and production requests in any mixture; nothing is ever left."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pytest

from backups.models import Drill, Execution
from backups.selectors.clock import database_now
from backups.services.dispose import dispose_due_branches
from backups.services.drill.reap import close_lost_drills
from backups.services.drill.run import cancel_drill
from backups.services.execution.advance import advance
from backups.services.restore.errors import Refused
from tests.services.drill.conftest import StubbedChecks
from tests.services.drill.rehearsing import begun, left_behind
from tests.services.drill.test_accidents import CALLS, FAULTS, Death, Reaper
from tests.services.drill.test_yields import Approval
from tests.services.execution.scene import Scene, work

HISTORIES = 25


class Chance(Reaper):
    """Kills now and then, wherever it likes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dice: random.Random) -> None:
        super().__init__(monkeypatch, ("",))
        self._dice, self.odds = dice, 0.0

    def __call__(self, name: str, *, step: str = "") -> None:
        if self._dice.random() < self.odds:
            raise Death(name)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(HISTORIES))
def test_whatever_happens_nothing_is_left(
    scene: Scene, checks: StubbedChecks, settings: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    settings.NEON_CALL_DEADLINE_SECONDS = 0.3
    settings.EXECUTION_SETTLE_SECONDS = 0.05
    settings.EXECUTION_PATIENCE_SECONDS = 1.0
    dice = random.Random(seed)
    chance = Chance(monkeypatch, dice)
    print(f"seed {seed}")  # noqa: T201
    for _ in range(4):
        for where in CALLS.values():
            if dice.random() < 0.3:
                scene.sandbox.faults.add(**dice.choice(list(FAULTS.values())), **where, times=dice.randint(1, 4))
        run, approval = begun(scene), None
        if dice.random() < 0.4:
            approval = Approval(scene)
        chance.odds = dice.choice([0.0, 0.03, 0.1])
        _live_on(scene, run, approval, dice)
        chance.odds = 0.0
        scene.sandbox.faults.clear()
        _tidy(run)
        assert left_behind(scene) == set(), seed
    scene.assert_invariants()


def _live_on(scene: Scene, run: Execution, approval: Approval | None, dice: random.Random) -> None:
    for turn in range(60):
        run.refresh_from_db()
        if run.state != "active":
            break
        if approval is not None and turn == 1:
            approval.give()
        if approval is not None and turn == 8:
            approval.end()
            approval = None
        if dice.random() < 0.02:
            _cancel(scene, run)
        _one_task(run)
    if approval is not None and approval.calls_by_then:
        approval.end()


def _one_task(run: Execution) -> None:
    now = database_now()
    Execution.objects.filter(pk=run.pk).update(next_attempt_at=None)
    Execution.objects.filter(pk=run.pk, lease_until__isnull=False).update(lease_until=now)
    with contextlib.suppress(Death):
        advance(run.pk)


def _cancel(scene: Scene, run: Execution) -> None:
    with contextlib.suppress(Refused):
        cancel_drill(actor=scene.people.alice.actor, drill_id=run.drill_id or 0)


def _tidy(run: Execution) -> None:
    """What the duties do when everything is well again."""
    run.refresh_from_db()
    work(run)
    close_lost_drills()
    drill = Drill.objects.get(executions=run)
    assert drill.state in {"ended", "cancelled"}
    dispose_due_branches()
    for removal in Execution.objects.filter(purpose="dispose", state="active"):
        work(removal)
