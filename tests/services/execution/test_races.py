"""People and the worker at the same instant: one of them wins, and both say so."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from backups.domain.execution import Purpose
from backups.domain.restore import RequestState, WritersStopped
from backups.models import Execution, RestoreRequest
from backups.services.execution.advance import advance
from backups.services.restore.errors import Refused
from backups.services.restore.start import start_request
from backups.services.restore.votes import take_vote_back, withdraw_request
from tests.services.execution.scene import Scene, work
from tests.support.at_once import at_once


@pytest.mark.parametrize("attempt", range(3))
def test_a_vote_taken_back_against_the_claim(scene: Scene, attempt: int) -> None:
    run = scene.started()
    request = run.request
    assert request is not None
    bob = scene.people.bob.actor
    taken_back, _ = at_once(lambda: take_vote_back(actor=bob, request_id=request.pk), lambda: advance(run.pk))
    work(run)
    request.refresh_from_db()
    if taken_back is None:
        assert request.state == RequestState.PENDING
        assert scene.attempts() == []
    else:
        assert isinstance(taken_back, Refused)
        assert request.state == RequestState.COMPLETED
    scene.assert_invariants()


def test_a_withdrawal_against_the_claim(scene: Scene) -> None:
    run = scene.started()
    request = run.request
    assert request is not None
    alice = scene.people.alice.actor
    withdrawn, _ = at_once(lambda: withdraw_request(actor=alice, request_id=request.pk), lambda: advance(run.pk))
    work(run)
    request.refresh_from_db()
    assert request.state == (RequestState.WITHDRAWN if withdrawn is None else RequestState.COMPLETED)
    assert bool(scene.attempts()) == (withdrawn is not None)
    scene.assert_invariants()


def test_two_clicks_start_one_run(scene: Scene) -> None:
    request = scene.approved()

    def click() -> None:
        start_request(
            actor=scene.people.alice.actor, request_id=request.pk, writers_stopped=WritersStopped.YES, minutes=0
        )

    raised = at_once(click, click)
    assert sorted(type(error).__name__ for error in raised) == ["NoneType", "Refused"]
    run = Execution.objects.get(request=request, purpose=Purpose.RESTORE)
    work(run)
    assert len(scene.restores()) == 1
    scene.assert_invariants()


def test_the_database_holds_one_restore_per_branch_whatever_the_code_does(scene: Scene) -> None:
    first = scene.started()
    other = scene.approved()
    with pytest.raises(IntegrityError, match="execution_one_restore_per_branch"):
        Execution.objects.create(
            purpose=Purpose.RESTORE, step="preflight", project=scene.project, branch=scene.branch, request=other
        )
    assert RestoreRequest.objects.filter(state=RequestState.APPROVED).count() == 2
    work(first)
    scene.assert_invariants()
