"""The other kinds: to a new branch, by log position, and back again."""

from __future__ import annotations

import datetime as dt

from backups.domain.restore import PointKind, RestoreKind, RestorePoint, StartMode
from backups.models import OwnedBranch
from backups.services.restore.draft import draft_undo, submit_request
from tests.services.execution.scene import Scene, intents, work


def test_a_new_branch_is_the_copy_that_was_voted_on(scene: Scene) -> None:
    until = scene.moment() + dt.timedelta(days=3)
    request = scene.approved(kind=RestoreKind.NEW_BRANCH, start_mode=StartMode.AT_ONCE, copy_expires_at=until)
    preview = OwnedBranch.objects.get(request=request)
    run = work(scene.started(request))
    assert run.outcome_code == "completed", run.halt_sentence
    copy = OwnedBranch.objects.get(request=request)
    assert (copy.neon_branch_id, copy.name) == (preview.neon_branch_id, request.copy_name)
    assert (copy.purpose, copy.fate) == ("copy", "handed_over")
    with scene.neon() as client:
        branch = client.branches.get(scene.sandbox.project_id, copy.neon_branch_id)
    assert branch.name == request.copy_name
    assert branch.expires_at is not None
    assert abs((branch.expires_at - until).total_seconds()) <= 1
    assert {"host", "database", "role"} <= run.memory.keys()
    assert scene.restores() == []
    scene.assert_invariants()


def test_a_new_branch_is_made_again_when_the_copy_is_gone(scene: Scene) -> None:
    request = scene.approved(kind=RestoreKind.NEW_BRANCH, start_mode=StartMode.AT_ONCE)
    with scene.neon() as stranger:
        stranger.branches.delete(scene.sandbox.project_id, OwnedBranch.objects.get(request=request).neon_branch_id)
    scene.sandbox.faults.add("lose_answer", method="POST", path="/branches$")
    run = work(scene.started(request))
    assert run.outcome_code == "completed", run.halt_sentence
    assert [intent.kind for intent in intents(run)] == ["create_branch"]
    made = OwnedBranch.objects.get(request=request, name=request.copy_name)
    assert made.fate == "handed_over"
    scene.assert_invariants()


def test_a_lost_answer_to_the_hand_over_is_repaired(scene: Scene) -> None:
    request = scene.approved(kind=RestoreKind.NEW_BRANCH, start_mode=StartMode.AT_ONCE)
    scene.sandbox.faults.add("lose_answer", method="PATCH")
    run = work(scene.started(request))
    assert run.outcome_code == "completed", run.halt_sentence
    assert len(scene.sandbox.calls("PATCH")) == 1
    scene.assert_invariants()


def test_a_restore_by_log_position(scene: Scene) -> None:
    run = work(scene.started(point=RestorePoint(PointKind.LSN, lsn="0/1000010")))
    assert run.outcome_code == "completed", run.halt_sentence
    assert scene.restores()[0]["body"]["source_lsn"] == "0/1000010"
    scene.assert_invariants()


def test_an_undo_brings_the_state_before_back_and_keeps_what_it_replaces(scene: Scene) -> None:
    restore = work(scene.started()).request
    assert restore is not None
    undo = draft_undo(actor=scene.people.alice.actor, request_id=restore.pk, reason="It was the wrong point")
    submit_request(actor=scene.people.alice.actor, request_id=undo.pk)
    undo.refresh_from_db()
    scene.voted(scene.published(undo))
    run = work(scene.started(undo))
    assert run.outcome_code == "completed", run.halt_sentence
    first, second = scene.restores()
    kept = OwnedBranch.objects.get(name=restore.preserve_name)
    assert second["body"]["source_branch_id"] == kept.neon_branch_id
    assert "source_timestamp" not in second["body"]
    assert second["body"]["preserve_under_name"] == undo.preserve_name != first["body"]["preserve_under_name"]
    scene.assert_invariants()


def test_the_copy_to_compare_with_is_made_again_when_it_is_gone(scene: Scene) -> None:
    request = scene.approved()
    preview = OwnedBranch.objects.get(request=request)
    with scene.neon() as stranger:
        stranger.branches.delete(scene.sandbox.project_id, preview.neon_branch_id)
    run = work(scene.started(request))
    assert run.outcome_code == "completed", run.halt_sentence
    assert [intent.kind for intent in intents(run)] == ["restore_branch", "create_branch"]
    scene.assert_invariants()
