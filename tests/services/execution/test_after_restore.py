"""From a restore at Neon to the last thing that it left: the list, an undo, and the deletion of the state before."""

from __future__ import annotations

from backups.domain.afterwards import PointCode, PointState
from backups.domain.restore import RestoreKind
from backups.models import Checklist, Execution, OwnedBranch, RestoreRequest
from backups.services.afterwards.removal import ask_removal_of_state, confirm_removal
from backups.services.dispose import dispose_due_branches
from backups.services.restore.draft import draft_undo, submit_request
from tests.services.execution.scene import Scene, work


def names_at_neon(scene: Scene) -> set[str]:
    with scene.neon() as client:
        return {branch.name for branch in client.branches.list(scene.sandbox.project_id)}


def restored(scene: Scene) -> RestoreRequest:
    run = work(scene.started())
    assert run.outcome_code == "completed", (run.halt_sentence, run.outcome_code)
    assert run.request is not None
    return RestoreRequest.objects.get(pk=run.request.pk)


def test_the_state_before_goes_when_two_people_agree(scene: Scene) -> None:
    request = restored(scene)
    checklist = Checklist.objects.get(request=request)
    assert checklist.points.filter(code=PointCode.KEPT, state=PointState.OPEN).exists()
    kept = OwnedBranch.objects.get(request=request, purpose="preserved")
    removal = ask_removal_of_state(
        actor=scene.people.alice.actor, owned_branch_id=kept.pk, reason="Everything is there."
    )
    confirm_removal(actor=scene.people.carol.actor, removal_id=removal.pk)
    # The copies that hang on it go first: Neon deletes no branch that has children.
    for _ in range(2):
        dispose_due_branches()
        for run in Execution.objects.filter(purpose="dispose", state="active"):
            work(run)
    run = Execution.objects.get(owned_branch=kept, purpose="dispose")
    kept.refresh_from_db()
    assert (run.outcome_code, kept.fate) == ("removed", "gone")
    assert kept.name not in names_at_neon(scene)
    point = checklist.points.get(code=PointCode.KEPT)
    assert (point.state, point.changed_by_name) == (PointState.DONE, "carol")
    scene.assert_invariants()


def test_an_undo_keeps_the_state_until_it_is_closed_and_has_a_list_of_its_own(scene: Scene) -> None:
    request = restored(scene)
    kept = OwnedBranch.objects.get(request=request, purpose="preserved")
    alice = scene.people.alice.actor
    removal = ask_removal_of_state(actor=alice, owned_branch_id=kept.pk, reason="Everything is there.")
    confirm_removal(actor=scene.people.carol.actor, removal_id=removal.pk)
    draft = draft_undo(actor=alice, request_id=request.pk, reason="It was right before.")
    dispose_due_branches()
    assert not Execution.objects.filter(owned_branch=kept, purpose="dispose").exists()
    undo = scene.voted(scene.published(submit_request(actor=alice, request_id=draft.pk)))
    run = work(scene.started(undo))
    assert run.outcome_code == "completed", (run.halt_sentence, run.outcome_code)
    own = Checklist.objects.get(request=undo)
    assert own.points.filter(code=PointCode.WRITERS, state=PointState.OPEN).exists()
    earlier = Checklist.objects.get(request=request)
    assert earlier.points.get(code=PointCode.WRITERS).state == PointState.NOT_NEEDED
    scene.assert_invariants()


def test_a_copy_beside_it_leaves_only_what_fits(scene: Scene) -> None:
    run = work(scene.started(scene.approved(kind=RestoreKind.NEW_BRANCH)))
    assert run.outcome_code == "completed", (run.halt_sentence, run.outcome_code)
    checklist = Checklist.objects.get(request=run.request)
    assert set(checklist.points.values_list("code", flat=True)) == {"copy", "people", "review"}
    assert (checklist.next_look_at, checklist.kept_until) == (None, None)
