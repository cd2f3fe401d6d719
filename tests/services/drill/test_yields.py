"""A drill never stands in the way of a production restore: a request is approved between any two of its calls."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F

from backups.models import Drill, Execution, LedgerEvent, RestoreRequest
from backups.services import neon_access
from backups.services.execution import drill_verify
from backups.services.execution.advance import advance
from backups.services.restore.votes import withdraw_request
from tests import factories
from tests.services.drill.conftest import StubbedChecks
from tests.services.drill.rehearsing import begun, ended, left_behind
from tests.services.execution.scene import Scene


class AfterCall:
    """Does something once, right after the portal's call number `number`, while the task is still running."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number, self.seen, self.act = 0, 0, lambda: None
        make_recorder = neon_access._recorder

        def counting(*arguments: Any) -> Callable[[Any], None]:
            record = make_recorder(*arguments)

            def on_call(call: Any) -> None:
                record(call)
                self.seen += 1
                if self.seen == self.number:
                    self.act()

            return on_call

        monkeypatch.setattr(neon_access, "_recorder", counting)

    def at(self, number: int, act: Callable[[], None]) -> None:
        self.number, self.seen, self.act = number, 0, act


@pytest.fixture
def after_call(monkeypatch: pytest.MonkeyPatch) -> AfterCall:
    return AfterCall(monkeypatch)


class Approval:
    """A production request that is approved at the moment of the test's choice."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        scene.people.all()  # who votes must have held the role before the request was submitted
        self.request: RestoreRequest = factories.pending(scene.people.alice, scene.branch)
        self.calls_by_then = 0

    def give(self) -> None:
        self._scene.voted(self.request)
        assert self.request.state == "approved"
        self.calls_by_then = len(self._scene.sandbox.calls())

    def end(self) -> None:
        withdraw_request(actor=self._scene.people.alice.actor, request_id=self.request.pk)


def press_on(run: Execution, times: int = 3) -> None:
    """Tasks as the queue delivers them, due or not."""
    for _ in range(times):
        Execution.objects.filter(pk=run.pk).update(next_attempt_at=None)
        advance(run.pk)


def test_no_call_follows_an_approval_wherever_it_comes(
    scene: Scene, checks: StubbedChecks, after_call: AfterCall
) -> None:
    """One drill, stopped after the first call of each step, after its second one, and so on until it has ended."""
    run, number, approvals = begun(scene), 1, 0
    while True:
        approval, step = Approval(scene), run.step
        after_call.at(number, approval.give)
        press_on(run, 1)
        if not approval.calls_by_then:
            break
        approvals += 1
        press_on(run, 2)
        assert len(scene.sandbox.calls()) == approval.calls_by_then, f"call {number} of {step}"
        run.refresh_from_db()
        assert run.waiting_for == f"{approval.request.reference}, which restores production", (step, number)
        approval.end()
        number = number + 1 if run.step == step else 1
    drill = ended(run)
    assert (drill.outcome, drill.yielding_since) == ("passed", None), drill.outcome_sentence
    assert drill.yielded_milliseconds > 0
    assert approvals > 12
    assert left_behind(scene) == set()
    scene.assert_invariants()


def test_no_check_reads_anything_after_an_approval(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks read production itself, so they stop between two of them."""
    stub, approval = StubbedChecks(), Approval(scene)
    monkeypatch.setattr(drill_verify, "plan_checks", stub.plan)

    def run_check(planned: Any, target: Any, **options: Any) -> Any:
        verdict = stub.run(planned, target, **options)
        if len(stub.runs) == 1:
            approval.give()
        return verdict

    monkeypatch.setattr(drill_verify, "run_check", run_check)
    run = begun(scene)
    advance(run.pk)
    press_on(run)
    assert stub.runs == ["connection"]
    approval.end()
    assert ended(run).outcome == "passed"
    assert stub.runs == ["connection", "row_counts"]


def test_what_was_yielded_is_told_and_is_no_recovery_time(scene: Scene, checks: StubbedChecks) -> None:
    approval = Approval(scene)
    approval.give()
    run = begun(scene)
    press_on(run, 4)
    five = dt.timedelta(minutes=5)
    Drill.objects.update(yielding_since=F("yielding_since") - five, requested_at=F("requested_at") - five)
    approval.end()
    drill = ended(run)
    assert drill.yielded_milliseconds >= 300_000
    assert drill.rto_milliseconds is not None
    assert drill.rto_milliseconds < 60_000
    kinds = ["drill.yielded", "drill.resumed"]
    assert [LedgerEvent.objects.filter(type=kind).count() for kind in kinds] == [1, 1]


def test_a_drill_that_could_not_begin_in_time_rehearsed_nothing(scene: Scene, checks: StubbedChecks) -> None:
    approval = Approval(scene)
    approval.give()
    run = begun(scene, slot_grace_seconds=1)
    Drill.objects.update(requested_at=F("requested_at") - dt.timedelta(seconds=2))
    press_on(run)
    drill = Drill.objects.get()
    assert (drill.state, drill.outcome, drill.outcome_code) == ("ended", "inconclusive", "yielded")
    assert "Nothing was rehearsed" in drill.outcome_sentence
    approval.end()
    assert left_behind(scene) == set()
