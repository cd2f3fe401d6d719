"""Neon says that it did nothing: the order waits with growing pauses, and ends without an effect when it lasts."""

from __future__ import annotations

from typing import Any

import pytest

from backups.domain.policy import Policy
from backups.domain.restore import RequestState
from backups.models import PolicyVersion
from backups.services.execution.advance import advance
from backups.services.restore.clock import expire_due_requests
from tests.services.execution.scene import CHECKED, Scene, intents, work

RESTORE: dict[str, Any] = {"method": "POST", "path": "/restore$"}


@pytest.mark.parametrize(
    ("status", "retry_after"), [(423, None), (429, None), (429, 1), (503, None), (503, 1)], ids=str
)
def test_a_refused_order_is_sent_again_after_a_pause(scene: Scene, status: int, retry_after: int | None) -> None:
    run = scene.started()
    told: dict[str, Any] = {} if retry_after is None else {"retry_after": retry_after}
    scene.sandbox.faults.add("status", status=status, times=2 if retry_after is None else 1, **told, **RESTORE)
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    assert [intent.outcome for intent in intents(run)][:-1] == ["refused"] * (2 if retry_after is None else 1)
    assert len(scene.restores()) == 1
    if retry_after is not None:
        first, second = intents(run)
        assert (second.created_at - first.created_at).total_seconds() >= retry_after
    scene.assert_invariants()


def test_a_busy_project_is_waited_for_before_anything_is_sent(scene: Scene) -> None:
    """Neon's own work locks the project; the last look sees it, so no order is wasted on a locked door."""
    run = scene.started()
    scene.sandbox.lock_project(1.0)
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    assert len(scene.attempts()) == 1
    assert run.steps.filter(step="preflight", result="again").exists()
    scene.assert_invariants()


def test_while_neon_is_busy_the_start_window_stays_open_up_to_its_limit(scene: Scene) -> None:
    request = scene.approved()
    run = scene.started(request)
    type(request).objects.filter(pk=request.pk).update(start_until=scene.moment())
    scene.sandbox.lock_project(1.0)
    advance(run.pk)
    assert expire_due_requests() == 0
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence


def test_an_order_refused_for_too_long_ends_without_an_effect(scene: Scene) -> None:
    PolicyVersion.objects.create(
        number=3,
        body=Policy(required_checks=CHECKED, start_window_busy_seconds=1).to_json(),
        created_by_name="erin",
    )
    run = scene.started()
    scene.sandbox.faults.add("status", status=423, times=None, **RESTORE)
    work(run)
    assert (run.state, run.outcome_code) == ("finished", "neon_busy")
    assert run.request is not None
    run.request.refresh_from_db()
    assert run.request.state == RequestState.FAILED
    assert scene.restores() == []
    scene.assert_invariants()


def test_a_revoked_key_is_waited_for_before_the_order(scene: Scene) -> None:
    """People can repair a key; the request's own clock ends the wait."""
    request = scene.approved()
    run = scene.started(request)
    scene.sandbox.faults.add("revoke_key")
    advance(run.pk)
    run.refresh_from_db()
    assert (run.step, run.waiting_for) == ("preflight", "a usable API key")
    type(request).objects.filter(pk=request.pk).update(start_until=scene.moment())
    assert expire_due_requests() == 1
    run.refresh_from_db()
    assert run.state == "finished"
    advance(run.pk)
    assert scene.attempts() == []
    scene.assert_invariants()


def test_a_key_revoked_at_the_order_leaves_no_effect(scene: Scene) -> None:
    PolicyVersion.objects.create(
        number=3, body=Policy(required_checks=CHECKED, start_window_busy_seconds=1).to_json(), created_by_name="erin"
    )
    run = scene.started()
    scene.sandbox.faults.add("revoke_key", **RESTORE)
    work(run)
    assert run.state == "finished"
    assert run.request is not None
    run.request.refresh_from_db()
    assert run.request.state == RequestState.FAILED
    assert scene.restores() == []
    scene.assert_invariants()


def test_a_key_revoked_after_the_order_ends_with_a_person(scene: Scene, settings: Any) -> None:
    settings.EXECUTION_PATIENCE_SECONDS = 0.5
    run = scene.started()
    scene.sandbox.faults.add("revoke_key", method="GET", path="/operations/")
    work(run)
    assert (run.state, run.halt_code) == ("halted", "unreachable")
    assert run.request is not None
    run.request.refresh_from_db()
    assert run.request.state == RequestState.NEEDS_ATTENTION
    scene.assert_invariants()


def test_the_root_cap_told_by_the_plan_takes_the_start_back(scene: Scene) -> None:
    scene.project.root_branch_cap = 1
    scene.project.save()
    run = work(scene.started())
    assert (run.state, run.outcome_code) == ("finished", "root_cap_reached")
    assert run.request is not None
    run.request.refresh_from_db()
    assert (run.request.state, run.request.start_asked_at) == (RequestState.APPROVED, None)
    assert scene.attempts() == []
    scene.assert_invariants()


def test_the_root_cap_told_by_neon_is_a_failure_without_effect(scene: Scene) -> None:
    run = scene.started()
    scene.sandbox.settings(root_cap=1)
    work(run)
    assert (run.state, run.outcome_code) == ("finished", "root_branches_limit_exceeded")
    assert run.request is not None
    run.request.refresh_from_db()
    assert run.request.state == RequestState.FAILED
    assert scene.restores() == []
    scene.assert_invariants()
