"""What else there is when a branch is replaced from a snapshot: other requests, other looks, what was agreed on."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backups.domain.actions import NO_UNDO_OF_SNAPSHOT, NO_UNDO_ON_SNAPSHOT, Action
from backups.domain.execution import Purpose
from backups.domain.people import SYSTEM
from backups.domain.restore import PointKind, RequestState, RestoreKind, RestorePoint, SnapshotMode, StartMode
from backups.models import Execution, LedgerEvent, OwnedBranch, ProtectedBranch, RestoreRequest
from backups.selectors.restore import available_actions
from backups.services.dispose import dispose_due_branches
from backups.services.execution.advance import advance
from backups.services.look import open_look
from backups.services.project import refresh_branches
from backups.services.restore.attention import verify_again
from backups.services.restore.draft import draft_undo, submit_request
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.rekeyed import void_votes_on_former_ids
from backups.services.restore.votes import take_vote_back
from tests import factories
from tests.services.execution.scene import Scene, intents, work
from tests.services.execution.test_snapshot_faults import ORDER, order_of, replaced_once, state_of, untouched
from tests.support.at_once import at_once

ONE_STEP, PREVIEW_FIRST = SnapshotMode.ONE_STEP, SnapshotMode.PREVIEW_FIRST


def replaced(scene: Scene, mode: SnapshotMode = ONE_STEP) -> RestoreRequest:
    """A completed restore from a snapshot."""
    run = work(scene.started(**scene.snapshot_wish(mode)))
    replaced_once(scene, run)
    assert run.request is not None
    return run.request


def look_at_neon(scene: Scene) -> None:
    """What the connection check and every preparation do."""
    with scene.neon() as client:
        found = client.branches.list(scene.sandbox.project_id)
    refresh_branches(project_id=scene.project.pk, found=found, actor=SYSTEM)


def refusal_of(scene: Scene, request: RestoreRequest) -> str | None:
    request.refresh_from_db()
    found = RestoreRequest.objects.select_related("branch__project", "packet", "undo_of").get(pk=request.pk)
    actions = {item.action: item.refusal for item in available_actions(scene.people.alice.actor, found)}
    return actions[Action.UNDO]


def test_a_snapshot_that_is_gone_ends_the_start(scene: Scene) -> None:
    run = scene.started(**scene.snapshot_wish(PREVIEW_FIRST))
    assert run.request is not None
    with scene.neon() as stranger:
        stranger.snapshots.delete(scene.sandbox.project_id, run.request.snapshot_id)
    work(run)
    assert run.outcome_code == "snapshot_gone"
    assert state_of(run) == RequestState.APPROVED
    untouched(scene)


def test_a_renamed_snapshot_voids_the_votes(scene: Scene) -> None:
    run = scene.started(**scene.snapshot_wish(ONE_STEP))
    assert run.request is not None
    with scene.neon() as stranger:
        stranger.snapshots.update(scene.sandbox.project_id, run.request.snapshot_id, name="another name")
    work(run)
    assert run.outcome_code == "facts_changed"
    assert state_of(run) == RequestState.PREPARING
    untouched(scene)


def test_the_root_cap_takes_the_start_of_one_step_back(scene: Scene) -> None:
    scene.project.root_branch_cap = 2
    scene.project.save()
    run = work(scene.started(**scene.snapshot_wish(ONE_STEP)))
    assert (run.state, run.outcome_code) == ("finished", "root_cap_reached")
    untouched(scene)


def test_an_undo_of_it_is_refused_with_the_way_that_there_is(scene: Scene) -> None:
    request = replaced(scene)
    assert refusal_of(scene, request) == NO_UNDO_OF_SNAPSHOT
    with pytest.raises(Refused) as refused:
        draft_undo(actor=scene.people.alice.actor, request_id=request.pk, reason="Wrong one")
    assert refused.value.sentence == NO_UNDO_OF_SNAPSHOT


def test_an_earlier_restore_can_t_be_undone_any_more(scene: Scene) -> None:
    earlier = work(scene.started()).request
    assert earlier is not None
    assert refusal_of(scene, earlier) is None
    replaced(scene)
    assert refusal_of(scene, earlier) == NO_UNDO_ON_SNAPSHOT


def test_an_undo_filed_before_ends_without_an_effect(scene: Scene) -> None:
    earlier = work(scene.started()).request
    assert earlier is not None
    undo = draft_undo(actor=scene.people.alice.actor, request_id=earlier.pk, reason="It was the wrong point")
    replaced(scene)
    with pytest.raises(InvalidInput, match="does not restore this branch in place for now"):
        submit_request(actor=scene.people.alice.actor, request_id=undo.pk)


def test_neither_a_restore_in_place_can_be_filed(scene: Scene) -> None:
    replaced(scene)
    with pytest.raises(InvalidInput, match="does not restore this branch in place for now"):
        factories.submitted(scene.people.alice, scene.branch)
    scene.submitted(kind=RestoreKind.NEW_BRANCH, start_mode=StartMode.AT_ONCE)


def test_a_copy_of_what_was_before_is_made_of_the_branch_that_keeps_it(scene: Scene) -> None:
    before = RestorePoint(PointKind.TIMESTAMP, at=scene.moment())
    replaced(scene)
    scene.branch.refresh_from_db()
    copy = {"kind": RestoreKind.NEW_BRANCH, "start_mode": StartMode.AT_ONCE}
    earlier = scene.submitted(**copy, point=before)
    later = scene.submitted(**copy, point=RestorePoint(PointKind.TIMESTAMP, at=scene.moment()))
    assert (earlier.source_branch_id, later.source_branch_id) == (
        scene.sandbox.branch_id,
        scene.branch.neon_branch_id,
    )
    prepared = work(Execution.objects.get(request=earlier, purpose=Purpose.PREPARE))
    assert prepared.outcome_code == "published"
    (call,) = (call for call in scene.sandbox.calls("POST", "/branches") if call["applied"])
    assert call["body"]["branch"]["parent_id"] == scene.sandbox.branch_id
    look = open_look(actor=scene.people.alice.actor, branch_id=scene.branch.pk, point=before)
    assert work(Execution.objects.get(look=look)).outcome_code == "ready"
    scene.assert_invariants()


def test_votes_on_the_former_id_lapse(scene: Scene) -> None:
    waiting = scene.published(scene.submitted())
    approved = scene.approved()
    replaced(scene)
    assert void_votes_on_former_ids() == 2
    for request in (waiting, approved):
        request.refresh_from_db()
        assert (request.state, request.revision) == (RequestState.PREPARING, 2)
    assert void_votes_on_former_ids() == 0
    scene.assert_invariants()
    # Gathering the facts again finds that Neon would refuse it, so nobody has to vote in vain.
    prepared = work(Execution.objects.get(request=waiting, purpose=Purpose.PREPARE, state="active"))
    waiting.refresh_from_db()
    assert (prepared.outcome_code, waiting.state) == ("not_restorable", RequestState.DRAFT)
    assert "Choose a copy beside it, or a snapshot." in waiting.outcome_sentence


def test_a_second_snapshot_restore_finds_the_branch_under_its_new_id(scene: Scene) -> None:
    first = replaced(scene, PREVIEW_FIRST)
    scene.branch.refresh_from_db()
    middle = scene.branch.neon_branch_id
    taken = scene.sandbox.take_snapshot(middle, name="of the restored branch")
    wish = scene.snapshot_wish(PREVIEW_FIRST)
    assert wish["point"].snapshot_id != taken.id
    run = work(scene.started(**wish))
    assert run.outcome_code == "completed", (run.outcome_code, run.halt_sentence)
    scene.branch.refresh_from_db()
    assert [row.neon_branch_id for row in scene.branch.former_ids.all()] == [scene.sandbox.branch_id, middle]
    names = set(OwnedBranch.objects.filter(purpose="preserved").values_list("name", flat=True))
    assert names == {first.preserve_name, run.request.preserve_name if run.request else ""}
    scene.assert_invariants()


def test_the_old_name_of_one_step_can_come_again(scene: Scene) -> None:
    first = replaced(scene)
    kept = OwnedBranch.objects.get(request=first, purpose="preserved")
    with scene.neon() as stranger:
        change = stranger.branches.update(scene.sandbox.project_id, kept.neon_branch_id, name="main before")
        stranger.operations.wait_for(scene.sandbox.project_id, change.operation_ids, deadline_seconds=5)
    run = work(scene.started(**scene.snapshot_wish(ONE_STEP)))
    assert run.outcome_code == "completed", (run.outcome_code, run.halt_sentence)
    names = OwnedBranch.objects.filter(purpose="preserved").values_list("name", flat=True)
    assert set(names) == {"main (old)", kept.neon_branch_id}
    scene.assert_invariants()


@pytest.mark.parametrize("mode", list(SnapshotMode))
def test_a_look_at_neon_while_the_branch_changes_hands_confuses_nobody(scene: Scene, mode: SnapshotMode) -> None:
    run = scene.started(**scene.snapshot_wish(mode))
    scene.sandbox.faults.add("lose_answer", **ORDER[mode])
    # The answer is lost, and Neon is not done when the portal asks what became of the order.
    scene.sandbox.settings(operation_seconds=0.5)
    while not scene.exchanges():
        Execution.objects.filter(pk=run.pk).update(next_attempt_at=None)
        advance(run.pk)
    assert order_of(run) == ["pending"]
    scene.sandbox.settings(operation_seconds=0.0)
    look_at_neon(scene)
    with scene.neon() as client:
        latest = client.operations.list_since(scene.sandbox.project_id, scene.moment())
        client.operations.wait_for(
            scene.sandbox.project_id, [operation.id for operation in latest], deadline_seconds=10
        )
    look_at_neon(scene)
    assert [branch.name for branch in ProtectedBranch.objects.all()] == ["main"]
    work(run)
    replaced_once(scene, run)
    look_at_neon(scene)
    assert [(branch.name, branch.missing_since) for branch in ProtectedBranch.objects.all()] == [("main", None)]
    scene.assert_invariants()


def test_the_promoted_copy_is_never_removed_and_the_others_are(scene: Scene) -> None:
    request = replaced(scene, PREVIEW_FIRST)
    OwnedBranch.objects.filter(request=request).update(expires_at=None)
    dispose_due_branches()
    for removal in Execution.objects.filter(purpose=Purpose.DISPOSE):
        assert work(removal).outcome_code == "removed"
    scene.branch.refresh_from_db()
    fates = dict(OwnedBranch.objects.filter(request=request).values_list("purpose", "fate").order_by("fate"))
    with scene.neon() as client:
        left = {branch.id for branch in client.branches.list(scene.sandbox.project_id)}
    assert left == {scene.branch.neon_branch_id, scene.sandbox.branch_id}
    assert fates["preserved"] == "present"
    scene.assert_invariants()


def test_a_removal_of_a_branch_in_care_leaves_it_alone(scene: Scene) -> None:
    """Even if a row claimed the governed branch for a copy of ours."""
    request = scene.approved(**scene.snapshot_wish(PREVIEW_FIRST))
    with scene.neon() as stranger:
        other = stranger.branches.create(scene.sandbox.project_id, name="in-care", parent_id=scene.sandbox.branch_id)
        stranger.operations.wait_for(scene.sandbox.project_id, other.operation_ids, deadline_seconds=5)
    assert other.branch is not None
    factories.branch(scene.project, neon_branch_id=other.branch.id, name="in-care", is_default=False)
    RestoreRequest.objects.filter(pk=request.pk).update(state=RequestState.REJECTED)
    OwnedBranch.objects.filter(request=request).update(neon_branch_id=other.branch.id, name="in-care")
    dispose_due_branches()
    removal = work(Execution.objects.get(purpose=Purpose.DISPOSE))
    assert removal.outcome_code == "not_ours"
    with scene.neon() as client:
        assert client.branches.get(scene.sandbox.project_id, other.branch.id).name == "in-care"


@pytest.mark.parametrize("attempt", range(2))
def test_a_vote_taken_back_against_the_claim(scene: Scene, attempt: int) -> None:
    run = scene.started(**scene.snapshot_wish(PREVIEW_FIRST))
    request = run.request
    assert request is not None
    bob = scene.people.bob.actor
    taken_back, _ = at_once(lambda: take_vote_back(actor=bob, request_id=request.pk), lambda: advance(run.pk))
    work(run)
    request.refresh_from_db()
    if taken_back is None:
        assert request.state == RequestState.PENDING
        untouched(scene)
    else:
        assert isinstance(taken_back, Refused)
        replaced_once(scene, run)


def test_verifying_again_follows_the_branch_and_sends_nothing(scene: Scene, settings: Any) -> None:
    """Neon's operations were said to have failed, so nothing was followed; then they are done after all."""
    settings.EXECUTION_FAILED_GRACE_SECONDS = 0.2
    run = scene.started(**scene.snapshot_wish(ONE_STEP))
    scene.sandbox.faults.add("operation_fails", seconds=2.5, **ORDER[ONE_STEP])
    work(run)
    assert (run.state, run.halt_code) == ("halted", "operations_failed")
    scene.branch.refresh_from_db()
    assert scene.branch.neon_branch_id == scene.sandbox.branch_id
    assert run.request is not None
    verify_again(actor=scene.people.bob.actor, request_id=run.request.pk)
    work(run)
    assert (run.state, run.halt_code) == ("halted", "completed"), run.halt_sentence
    scene.branch.refresh_from_db()
    assert scene.branch.neon_branch_id != scene.sandbox.branch_id
    assert order_of(run) == ["applied"]
    assert len(scene.exchanges(applied=False)) == 1
    assert LedgerEvent.objects.filter(type="project.branch_rekeyed").count() == 1
    scene.assert_invariants()


@pytest.mark.parametrize(
    "fields",
    [
        {"snapshot_id": ""},
        {"snapshot_mode": ""},
        {"snapshot_mode": "three_steps"},
        {"kind": "in_place"},
        {"point_kind": "timestamp"},
        {"point_at": None},
        {"point_lsn": "0/1"},
    ],
    ids=str,
)
def test_the_database_holds_a_snapshot_s_facts_together(scene: Scene, fields: dict[str, Any]) -> None:
    request = scene.submitted(**scene.snapshot_wish(PREVIEW_FIRST))
    with pytest.raises(IntegrityError, match=r"request_(snapshot|point)_shape"), transaction.atomic():
        RestoreRequest.objects.filter(pk=request.pk).update(**fields)


def test_the_database_holds_one_exchange_per_run_whatever_the_code_does(scene: Scene) -> None:
    run = work(scene.started(**scene.snapshot_wish(ONE_STEP)))
    (first,) = intents(run)
    first.pk, first.number, first.name, first.http_request_id = None, 2, "another name", uuid.uuid4()
    with pytest.raises(IntegrityError, match="intent_one_effect"):
        first.save()


def test_a_stop_before_the_order_leaves_everything(scene: Scene) -> None:
    run = scene.started(**scene.snapshot_wish(PREVIEW_FIRST))
    Execution.objects.filter(pk=run.pk).update(stop_asked_by_name="alice")
    work(run)
    assert run.outcome_code == "stopped"
    assert intents(run) == []
    untouched(scene)
