"""The monitor looks before, between and after: what the portal itself does is never taken for somebody else's deed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from backups.domain.people import SYSTEM
from backups.domain.restore import RestoreKind, SnapshotMode
from backups.models import Execution, Finding, ProtectedBranch
from backups.services.dispose import dispose_due_branches
from backups.services.execution.advance import advance
from backups.services.monitor.cycle import monitor_now
from tests.services.drill.rehearsing import begun
from tests.services.execution.scene import Scene, work


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Neon's youngest operations are judged too, so that nothing is left to a later look."""
    monkeypatch.setattr("backups.services.monitor.comparison.SETTLED_AFTER", dt.timedelta(0))
    settings.MONITOR_CALLS_PER_MINUTE = 100_000


def look() -> None:
    monitor_now(actor=SYSTEM, origin="test")


def accused() -> list[str]:
    found = Finding.objects.filter(control__in=["outside", "orphans", "owned"])
    return [f"{each.code}: {each.sentence} {each.evidence}" for each in found]


def watched(run: Execution) -> Execution:
    """The run to its end, with a look after every task."""
    for _ in range(30):
        look()
        if run.state != "active":
            break
        Execution.objects.filter(pk=run.pk).update(next_attempt_at=None)
        advance(run.pk)
        run.refresh_from_db()
    return run


@pytest.mark.parametrize("kind", [RestoreKind.IN_PLACE, RestoreKind.NEW_BRANCH])
def test_a_restore_by_the_portal_accuses_nobody(scene: Scene, kind: RestoreKind) -> None:
    look()
    run = watched(scene.started(kind=kind))
    assert run.outcome_code == "completed"
    for _ in range(3):
        look()
    assert accused() == []


@pytest.mark.parametrize("mode", list(SnapshotMode))
def test_neither_does_a_restore_from_a_snapshot(scene: Scene, mode: SnapshotMode) -> None:
    look()
    run = watched(scene.started(**scene.snapshot_wish(mode)))
    assert run.outcome_code == "completed"
    for _ in range(3):
        look()
    assert accused() == []
    assert not ProtectedBranch.objects.filter(missing_since__isnull=False).exists()


def test_nor_one_whose_answer_was_lost(scene: Scene) -> None:
    look()
    run = scene.started()
    scene.sandbox.faults.add("lose_answer", method="POST", path="/restore$")
    watched(run)
    assert run.outcome_code == "completed"
    look()
    assert accused() == []


def test_nor_the_removal_of_copies(scene: Scene) -> None:
    run = work(scene.started())
    look()
    dispose_due_branches()
    for each in Execution.objects.filter(purpose="dispose"):
        watched(each)
    assert Execution.objects.filter(purpose="dispose", outcome_code="removed").exists()
    look()
    assert run.outcome_code == "completed"
    assert accused() == []


def test_nor_a_drill(scene: Scene) -> None:
    look()
    run = watched(begun(scene))
    assert run.outcome_code
    look()
    assert accused() == []
