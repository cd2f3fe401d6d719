"""What was voted on is no longer so when the start comes."""

from __future__ import annotations

import datetime as dt

from backups.domain.people import SYSTEM
from backups.domain.restore import RequestState
from backups.models import Execution, Project, RestoreRequest
from backups.services.execution.advance import advance
from backups.services.people import set_roles
from backups.services.restore.start import stop_running
from tests.services.execution.scene import Scene, work


def state_of(run: Execution) -> str:
    assert run.request is not None
    run.request.refresh_from_db()
    return run.request.state


def test_a_renamed_branch_voids_the_votes(scene: Scene) -> None:
    run = scene.started()
    with scene.neon() as stranger:
        stranger.branches.update(scene.sandbox.project_id, scene.sandbox.branch_id, name="primary")
    work(run)
    assert run.outcome_code == "facts_changed"
    assert state_of(run) == RequestState.PREPARING
    assert scene.attempts() == []
    scene.assert_invariants()


def test_a_new_child_voids_the_votes(scene: Scene) -> None:
    run = scene.started()
    with scene.neon() as stranger:
        stranger.branches.create(scene.sandbox.project_id, name="dev-emma", parent_id=scene.sandbox.branch_id)
    work(run)
    assert state_of(run) == RequestState.PREPARING
    assert run.request is not None
    assert run.request.revision == 2
    assert scene.attempts() == []
    scene.assert_invariants()


def test_a_deleted_branch_ends_the_start(scene: Scene) -> None:
    run = scene.started()
    gone = f"/branches/{scene.sandbox.branch_id}/databases$"
    scene.sandbox.faults.add("status", status=404, times=None, method="GET", path=gone)
    work(run)
    assert run.outcome_code == "branch_gone"
    assert state_of(run) == RequestState.APPROVED
    assert scene.attempts() == []
    scene.assert_invariants()


def test_a_point_that_left_the_history_expires_the_request(scene: Scene) -> None:
    run = scene.started()
    Project.objects.update(history_retention_seconds=0)
    work(run)
    assert run.outcome_code == "point_out_of_window"
    assert state_of(run) == RequestState.EXPIRED
    assert scene.attempts() == []
    scene.assert_invariants()


def test_counts_that_move_void_nothing(scene: Scene) -> None:
    """Observed facts inform; only bound facts decide."""
    run = scene.started()
    assert run.request is not None
    assert run.request.packet is not None
    before = run.request.packet.digest
    work(run)
    run.request.refresh_from_db()
    assert run.request.packet is not None
    assert (state_of(run), run.request.packet.digest) == (RequestState.COMPLETED, before)


def test_an_approver_who_lost_the_role_stops_the_start(scene: Scene) -> None:
    run = scene.started()
    set_roles(actor=SYSTEM, user_id=scene.people.bob.user.pk, roles=[])
    work(run)
    assert run.outcome_code == "approvals_missing"
    assert state_of(run) == RequestState.PENDING
    assert scene.attempts() == []
    scene.assert_invariants()


def test_a_start_after_its_time_sends_nothing(scene: Scene) -> None:
    run = scene.started()
    RestoreRequest.objects.update(start_until=scene.moment() - dt.timedelta(seconds=1))
    work(run)
    assert run.outcome_code == "start_too_late"
    assert scene.attempts() == []
    scene.assert_invariants()


def test_a_branch_of_our_name_that_was_there_before_is_not_overwritten(scene: Scene) -> None:
    run = scene.started()
    assert run.request is not None
    with scene.neon() as stranger:
        stranger.branches.create(
            scene.sandbox.project_id, name=run.request.preserve_name, parent_id=scene.sandbox.branch_id
        )
    work(run)
    # The stranger's branch is a child too, and children are what people vote on.
    assert run.outcome_code == "facts_changed"
    assert scene.attempts() == []


def test_a_person_can_stop_it_while_neon_refuses(scene: Scene) -> None:
    run = scene.started()
    assert run.request is not None
    scene.sandbox.faults.add("status", status=423, times=None, method="POST", path="/restore$")
    while state_of(run) != RequestState.RUNNING:
        advance(run.pk)
    stop_running(actor=scene.people.alice.actor, request_id=run.request.pk)
    work(run)
    assert run.outcome_code == "stopped"
    assert state_of(run) == RequestState.FAILED
    assert scene.restores() == []
    scene.assert_invariants()
