"""A drill never leaves a branch: whatever Neon answers, and wherever its worker dies."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from backups.models import Drill, Execution, Intent, LedgerEvent, OwnedBranch
from backups.selectors.clock import database_now
from backups.selectors.drill_copies import copies_left
from backups.services.dispose import dispose_due_branches
from backups.services.drill import reap
from backups.services.drill.run import cancel_drill
from backups.services.execution import advance as advancing
from backups.services.execution import drill_verify, finish, intent_records, intents
from tests.services.drill.conftest import StubbedChecks
from tests.services.drill.rehearsing import begun, ended, left_behind, names, rehearsed, worked_until
from tests.services.execution.nursery import Nursery, running_nursery
from tests.services.execution.scene import Scene, work
from tests.support.database import OwnDatabase
from tests.support.soaking import rest_by_soak

COPY: dict[str, Any] = {"method": "POST", "path": "/branches$"}
REMOVAL: dict[str, Any] = {"method": "DELETE", "path": "/branches/"}
CALLS: dict[str, dict[str, Any]] = {
    "project": {"method": "GET", "path": r"/projects/[^/]+$"},
    "branch": {"method": "GET", "path": r"/branches/[^/]+$"},
    "order": COPY,
    "operation": {"method": "GET", "path": "/operations/"},
    "databases": {"method": "GET", "path": "/databases$"},
    "address": {"method": "GET", "path": "/connection_uri$"},
    "removal": REMOVAL,
}
FAULTS: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "429": {"kind": "status", "status": 429},
    "423": {"kind": "status", "status": 423},
    "lost": {"kind": "lose_answer"},
    "html": {"kind": "html", "apply": True},
    "hang": {"kind": "hang", "apply": True, "seconds": 5},
    "500 after the work": {"kind": "error_after_success"},
}


@pytest.mark.parametrize("fault", rest_by_soak({name: name for name in FAULTS}, {"500", "429", "lost"}))
def test_a_bad_answer_at_each_kind_of_call_changes_nothing_in_the_end(
    scene: Scene, checks: StubbedChecks, settings: Any, fault: str
) -> None:
    settings.NEON_CALL_DEADLINE_SECONDS = 0.4
    settings.EXECUTION_SETTLE_SECONDS = 0.1
    for where in CALLS.values():
        scene.sandbox.faults.add(**FAULTS[fault], **where)
    drill = rehearsed(scene)
    assert drill.outcome == "passed", drill.outcome_sentence
    assert len([each for each in scene.sandbox.calls("POST", "/branches") if each["applied"]]) == 1
    assert left_behind(scene) == set()
    scene.assert_invariants()


LIMIT = {"kind": "status", "status": 422, "message": "branches limit exceeded"}
#: What Neon does to the order -> the drill's code; each would stop a real recovery too.
SPOILED: dict[str, tuple[dict[str, Any], str]] = {
    "refused": (LIMIT | COPY, "copy_refused"),
    "failing": ({"kind": "operation_fails", "final": True} | COPY, "copy_failed"),
    "not found": ({"kind": "status", "status": 404} | COPY, "copy_refused"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_recovery_that_neon_does_not_make_is_told_and_removed(scene: Scene, checks: StubbedChecks, what: str) -> None:
    fault, code = SPOILED[what]
    scene.sandbox.faults.add(**fault)
    drill = rehearsed(scene)
    assert (drill.outcome, drill.outcome_code) == ("failed", code), drill.outcome_sentence
    assert left_behind(scene) == set()
    scene.assert_invariants()


def test_a_copy_that_cant_be_removed_is_said_shown_and_removed_later(
    scene: Scene, checks: StubbedChecks, settings: Any
) -> None:
    settings.EXECUTION_PATIENCE_SECONDS = 0.3
    scene.sandbox.faults.add("status", status=503, times=None, **REMOVAL)
    drill = rehearsed(scene)
    assert drill.outcome == "passed"
    assert "could not be removed yet" in drill.outcome_sentence
    (left,) = copies_left(scene.project, now=database_now())
    assert (left.owned.name, left.should_be_gone) == (drill.copy_name, False)
    scene.assert_invariants()
    scene.sandbox.faults.clear()
    assert dispose_due_branches() == 1
    work(Execution.objects.get(purpose="dispose"))
    assert left_behind(scene) == set()
    assert copies_left(scene.project, now=database_now()) == []


def test_a_copy_that_somebody_deletes_proves_nothing(scene: Scene, checks: StubbedChecks) -> None:
    run = worked_until(begun(scene), "connect")
    with scene.neon() as stranger:
        stranger.branches.delete(scene.sandbox.project_id, run.memory["copy"]["branch_id"])
    drill = ended(run)
    assert (drill.outcome, drill.outcome_code) == ("inconclusive", "copy_gone")
    assert OwnedBranch.objects.get(drill=drill).fate == "gone"


def test_a_branch_in_somebodys_use_is_left_alone(scene: Scene, checks: StubbedChecks) -> None:
    run = worked_until(begun(scene), "remove")
    with scene.neon() as stranger:
        stranger.branches.update(scene.sandbox.project_id, run.memory["copy"]["branch_id"], name="kept-for-the-review")
    drill = ended(run)
    assert drill.outcome == "passed"
    assert "kept-for-the-review" in names(scene)


def test_the_time_limit_ends_it(scene: Scene, checks: StubbedChecks) -> None:
    run = worked_until(begun(scene, rto_objective_seconds=900), "connect")
    Drill.objects.update(time_limit_at=database_now())
    drill = ended(run)
    assert (drill.outcome, drill.outcome_code, checks.runs) == ("inconclusive", "time_limit", [])
    assert left_behind(scene) == set()


def test_the_time_limit_after_the_objective_is_a_missed_objective(scene: Scene, checks: StubbedChecks) -> None:
    run = worked_until(begun(scene, rto_objective_seconds=1), "connect")
    Drill.objects.update(time_limit_at=database_now(), requested_at=database_now().replace(year=2025))
    drill = ended(run)
    assert (drill.outcome, drill.outcome_code) == ("failed", "rto_missed")
    assert left_behind(scene) == set()


def test_cancelled_it_removes_its_copy_first(scene: Scene, checks: StubbedChecks) -> None:
    run = worked_until(begun(scene), "verify")
    drill = Drill.objects.get()
    cancel_drill(actor=scene.people.alice.actor, drill_id=drill.pk, reason="The wrong branch")
    work(run)
    drill.refresh_from_db()
    assert (drill.state, drill.outcome, drill.outcome_sentence) == ("cancelled", None, "alice ended it early.")
    assert left_behind(scene) == set()
    assert LedgerEvent.objects.filter(type="drill.cancelled").count() == 1


def test_a_run_that_halted_is_closed_and_its_copy_removed(scene: Scene, checks: StubbedChecks) -> None:
    run = worked_until(begun(scene), "verify")
    Execution.objects.filter(pk=run.pk).update(state="halted", halt_code="portal_error")
    assert (reap.close_lost_drills(), reap.close_lost_drills()) == (1, 0)
    drill = Drill.objects.get()
    assert (drill.outcome, drill.outcome_code) == ("inconclusive", "run_lost")
    assert dispose_due_branches() == 1
    work(Execution.objects.get(purpose="dispose"))
    assert left_behind(scene) == set()


class TestOrphans:
    def test_an_order_that_arrived_after_everything_is_found_and_removed(
        self, scene: Scene, checks: StubbedChecks
    ) -> None:
        run = worked_until(begun(scene), "verify")
        drill = Drill.objects.get()
        OwnedBranch.objects.update(fate="gone", gone_at=database_now())
        ended(run)
        assert left_behind(scene) == {drill.copy_name}
        assert reap.reconcile_drill_copies(project_id=scene.project.pk) == 1
        dispose_due_branches()
        work(Execution.objects.get(purpose="dispose"))
        assert left_behind(scene) == set()
        assert LedgerEvent.objects.filter(type="drill.orphan_found").count() == 1

    def test_a_strangers_branch_of_such_a_name_is_told_once_and_left_alone(self, scene: Scene) -> None:
        with scene.neon() as stranger:
            stranger.branches.create(scene.sandbox.project_id, name="drill_D-0999", parent_id=scene.sandbox.branch_id)
        for _ in range(2):
            assert reap.reconcile_drill_copies(project_id=scene.project.pk) == 1
        assert dispose_due_branches() == 0
        assert left_behind(scene) == {"drill_D-0999"}
        (event,) = LedgerEvent.objects.filter(type="drill.orphan_found")
        assert '"decision":"left_alone"' in event.body


class Death(BaseException):
    """As if the process were gone: nothing catches it, and open transactions are rolled back."""


class Reaper:
    """Notes the places that an undisturbed drill passes; once armed it kills at each of them, well apart."""

    APART = 6

    def __init__(self, monkeypatch: pytest.MonkeyPatch, wanted: tuple[str, ...]) -> None:
        self._wanted = wanted
        self.seen, self.killed = set[str](), set[str]()
        self.is_armed, self._passed = False, 0
        for module in (advancing, finish, intents, intent_records, drill_verify):
            monkeypatch.setattr(module, "crash_point", self)

    def __call__(self, name: str, *, step: str = "") -> None:
        place = f"{name}@{step or Execution.objects.latest('pk').step}"
        self._passed += 1
        if not name.startswith(self._wanted):
            return
        if not self.is_armed:
            self.seen.add(place)
        elif place in self.seen - self.killed and self._passed > self.APART:
            self.killed.add(place)
            self._passed = 0
            raise Death(place)

    @property
    def is_done(self) -> bool:
        return self.killed >= self.seen


#: What happens to the order and to the removal -> the places that only this leads to; nothing: all places.
LEADS_TO: dict[str, tuple[dict[str, Any] | None, tuple[str, ...]]] = {
    "nothing": (None, ("",)),
    "lost answers": ({"kind": "lose_answer"}, ("after_lost", "before_look", "after_look", "after_adoption")),
    "nothing done": ({"kind": "status", "status": 500}, ("after_absence",)),
}


@pytest.mark.parametrize("what", LEADS_TO)
def test_a_worker_that_dies_anywhere_leaves_nothing(
    scene: Scene, checks: StubbedChecks, settings: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Drills until every place where the code says that it could die was died at, in every step that gets there."""
    settings.NEON_CALL_DEADLINE_SECONDS = 0.3
    settings.EXECUTION_SETTLE_SECONDS = 0.05
    fault, wanted = LEADS_TO[what]
    reaper = Reaper(monkeypatch, wanted)
    for _ in range(20):
        if fault is not None:
            scene.sandbox.faults.add(**fault, **COPY)
            scene.sandbox.faults.add(**fault, **REMOVAL)
        run = begun(scene)
        while run.state == "active":
            try:
                work(run)
            except Death:
                Execution.objects.filter(pk=run.pk, lease_until__isnull=False).update(lease_until=database_now())
        drill = ended(run)
        assert drill.outcome == "passed", (reaper.killed, drill.outcome_sentence)
        orders = Intent.objects.filter(execution=run)
        applied = orders.filter(outcome="applied").values_list("kind", flat=True)
        assert sorted(applied) == ["create_branch", "delete_branch"], reaper.killed
        assert not orders.filter(outcome="pending").exists(), reaper.killed
        if reaper.is_armed and reaper.is_done:
            break
        reaper.is_armed = True
    assert reaper.seen
    assert reaper.is_done, reaper.seen - reaper.killed
    assert left_behind(scene) == set()
    scene.assert_invariants()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with running_nursery() as running:
        yield running


@pytest.mark.parametrize("place", ["after_answer", "before_check_commit", "before_step_commit@remove"])
def test_a_killed_process_leaves_nothing(
    scene: Scene, nursery: Nursery, own_database: OwnDatabase, settings: Any, place: str
) -> None:
    """The same with a real process and SIGKILL, for three of the places."""
    from tests.services.execution.conftest import FAST

    quick = FAST | {"NEON_CALL_DEADLINE_SECONDS": 0.8, "EXECUTION_SETTLE_SECONDS": 0.2, "DRILL_YIELD_SECONDS": 0.05}
    quick |= {"DRILL_POINT_MARGIN_SECONDS": 0.05}
    run = begun(scene)
    nursery.begin(database_url=own_database.url, settings=quick, environment={"CRASH_AT": place}, execution_id=run.pk)
    nursery.pid()
    assert nursery.end() == -signal.SIGKILL, "the worker never came to that place"
    Execution.objects.filter(pk=run.pk, lease_until__isnull=False).update(lease_until=database_now())
    assert ended(run).outcome == "passed"
    assert left_behind(scene) == set()
    scene.assert_invariants()
