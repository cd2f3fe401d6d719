"""A person has the portal look or verify again: it finds out, and never sends anything."""

from __future__ import annotations

from typing import Any

from backups.domain.restore import RequestState
from backups.models import CheckResult, Execution, Resolution
from backups.services.restore.attention import confirm_resolution, look_again, propose_resolution, verify_again
from tests.services.execution.scene import Scene, intents, work
from tests.services.execution.test_faults_answers import RESTORE, lose_the_order


def unclear(scene: Scene) -> Execution:
    """A lost order whose traces contradict each other: a stranger's branch has our name."""
    run = scene.started()
    assert run.request is not None
    lose_the_order(scene, run)
    with scene.neon() as stranger:
        stranger.branches.create(
            scene.sandbox.project_id, name=run.request.preserve_name, parent_id=scene.sandbox.branch_id
        )
    work(run)
    assert (run.state, run.halt_code) == ("halted", "effect_unknown")
    return run


def test_looking_again_finds_no_trace_and_two_people_close_it(scene: Scene) -> None:
    run = unclear(scene)
    assert run.request is not None
    with scene.neon() as stranger:
        found = stranger.branches.find_by_name(scene.sandbox.project_id, run.request.preserve_name)
        assert found is not None
        stranger.branches.delete(scene.sandbox.project_id, found.id)
    look_again(actor=scene.people.bob.actor, request_id=run.request.pk)
    work(run)
    assert (run.state, run.halt_code) == ("halted", "no_trace")
    assert [intent.outcome for intent in intents(run)] == ["not_applied"]
    assert len(scene.attempts()) == 1
    propose_resolution(
        actor=scene.people.bob.actor,
        request_id=run.request.pk,
        kind=Resolution.Kind.DISPROVE,
        reason="Nothing is there",
    )
    confirm_resolution(actor=scene.people.carol.actor, request_id=run.request.pk)
    run.request.refresh_from_db()
    assert run.request.state == RequestState.FAILED
    scene.assert_invariants()


def test_looking_again_finds_the_effect_and_verifies_it(scene: Scene) -> None:
    """The effect is there after all; closing the request stays with people."""
    run = scene.started()
    assert run.request is not None
    lose_the_order(scene, run)
    with scene.neon() as neon:
        # What the order does when it arrives by another way, first without the name by which it is known.
        change = neon.branches.restore(
            scene.sandbox.project_id,
            target_branch_id=scene.sandbox.branch_id,
            source_branch_id=scene.sandbox.branch_id,
            preserve_under_name="no name of ours",
            source_timestamp=run.request.point_at,
        )
        neon.operations.wait_for(scene.sandbox.project_id, change.operation_ids, deadline_seconds=5)
        work(run)
        assert (run.state, run.halt_code) == ("halted", "effect_unknown")
        kept = neon.branches.find_by_name(scene.sandbox.project_id, "no name of ours")
        assert kept is not None
        neon.branches.update(scene.sandbox.project_id, kept.id, name=run.request.preserve_name)
    look_again(actor=scene.people.bob.actor, request_id=run.request.pk)
    work(run)
    assert (run.state, run.halt_code) == ("halted", "completed")
    assert [intent.outcome for intent in intents(run)] == ["applied"]
    run.request.refresh_from_db()
    assert run.request.state == RequestState.NEEDS_ATTENTION
    assert run.request.connectable_at is not None
    scene.assert_invariants()


def test_verifying_again_after_operations_failed_looks_at_what_is_there(scene: Scene, settings: Any) -> None:
    settings.EXECUTION_FAILED_GRACE_SECONDS = 0.3
    run = scene.started()
    assert run.request is not None
    scene.sandbox.faults.add("operation_fails", seconds=0.1, final=True, **RESTORE)
    work(run)
    assert (run.state, run.halt_code) == ("halted", "operations_failed")
    verify_again(actor=scene.people.bob.actor, request_id=run.request.pk)
    work(run)
    assert run.state == "halted"
    run.request.refresh_from_db()
    assert run.request.state == RequestState.NEEDS_ATTENTION
    assert len(scene.attempts()) == 1
    scene.assert_invariants()


def test_verifying_again_is_a_round_of_its_own(scene: Scene) -> None:
    run = scene.started()
    assert run.request is not None
    scene.branch.required_tables = ["public.visits", "public.no_such_table"]
    scene.branch.save()
    work(run)
    assert (run.state, run.halt_code) == ("halted", "verification_failed")
    scene.branch.required_tables = ["public.visits"]
    scene.branch.save()
    verify_again(actor=scene.people.bob.actor, request_id=run.request.pk)
    work(run)
    assert (run.state, run.halt_code, run.review_round) == ("halted", "completed", 1)
    rounds = CheckResult.objects.filter(execution=run, code="required_tables")
    assert [(row.review_round, row.outcome) for row in rounds] == [(0, "failed"), (1, "passed")]
    run.request.refresh_from_db()
    assert run.request.state == RequestState.NEEDS_ATTENTION
    assert len(scene.attempts()) == 1
    scene.assert_invariants()
