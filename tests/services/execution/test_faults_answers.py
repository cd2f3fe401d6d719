"""The order was sent and its answer is of no use. Neon is asked what became of it; it is never sent blindly again."""

from __future__ import annotations

from typing import Any

import pytest

from backups.domain.restore import RequestState
from backups.models import Execution, LedgerEvent
from backups.services.execution.advance import advance
from backups.services.restore.attention import look_again
from tests.services.execution.scene import Scene, intents, work

RESTORE: dict[str, Any] = {"method": "POST", "path": "/restore$"}

#: Neon did it, and said so in a way that can't be read.
DONE_AND_NOT_HEARD: dict[str, dict[str, Any]] = {
    "the connection closes": {"kind": "lose_answer"},
    "500 after success": {"kind": "error_after_success"},
    "502 after success": {"kind": "error_after_success", "status": 502},
    "hang after the work": {"kind": "hang", "apply": True},
    "a byte a second": {"kind": "drip", "interval_seconds": 0.4},
    "html after the work": {"kind": "html", "apply": True},
    "no list of operations": {"kind": "drop_fields", "fields": ["operations"]},
    "no branch": {"kind": "drop_fields", "fields": ["branch"]},
}
#: Neon did nothing, and said so in a way that can't be believed.
NOT_DONE_AND_NOT_HEARD: dict[str, dict[str, Any]] = {
    "500 and nothing done": {"kind": "status", "status": 500},
    "hang without the work": {"kind": "hang"},
    "html without the work": {"kind": "html"},
    "html 503 of a gateway": {"kind": "html", "status": 503},
}


@pytest.mark.parametrize("fault", DONE_AND_NOT_HEARD.values(), ids=DONE_AND_NOT_HEARD)
def test_an_effect_without_an_answer_is_found_and_adopted(scene: Scene, fault: dict[str, Any]) -> None:
    run = scene.started()
    scene.sandbox.faults.add(**fault, **RESTORE)
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    assert len(scene.attempts()) == len(scene.restores()) == 1
    assert [intent.outcome for intent in intents(run)] == ["applied"]
    assert LedgerEvent.objects.filter(type="execution.effect_unknown").count() == 1
    assert LedgerEvent.objects.filter(type="execution.adopted").count() == 1
    scene.assert_invariants()


@pytest.mark.parametrize("fault", NOT_DONE_AND_NOT_HEARD.values(), ids=NOT_DONE_AND_NOT_HEARD)
def test_it_is_sent_again_only_after_the_first_was_proven_absent(
    scene: Scene, fault: dict[str, Any], settings: Any
) -> None:
    run = scene.started()
    scene.sandbox.faults.add(**fault, **RESTORE)
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    first, second = intents(run)
    assert (first.outcome, second.outcome) == ("not_applied", "applied")
    assert len(scene.attempts()) == 2
    assert len(scene.restores()) == 1
    waited = (second.created_at - first.call_deadline_at).total_seconds()
    assert waited >= settings.EXECUTION_SETTLE_SECONDS
    scene.assert_invariants()


def test_an_answer_that_denies_what_was_done_is_not_believed(scene: Scene) -> None:
    """A 503 in Neon's own form means that nothing was done; it is looked up all the same."""
    run = scene.started()
    scene.sandbox.faults.add("error_after_success", status=503, **RESTORE)
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    assert len(scene.attempts()) == len(scene.restores()) == 1
    scene.assert_invariants()


def test_an_order_denied_at_the_door_and_done_all_the_same_ends_with_a_person(scene: Scene) -> None:
    run = scene.started()
    scene.sandbox.faults.add("error_after_success", status=423, **RESTORE)
    work(run)
    assert (run.state, run.halt_code) == ("halted", "effect_unclear")
    assert run.request is not None
    run.request.refresh_from_db()
    assert run.request.state == RequestState.NEEDS_ATTENTION
    look_again(actor=scene.people.bob.actor, request_id=run.request.pk)
    work(run)
    assert (run.state, run.halt_code) == ("halted", "completed")
    assert len(scene.restores()) == 1
    scene.assert_invariants()


def test_an_order_that_lands_after_the_look_up_is_adopted(scene: Scene) -> None:
    run = scene.started()
    scene.sandbox.faults.add("apply_late", seconds=0.8, **RESTORE)
    work(run)
    assert run.outcome_code == "completed", run.halt_sentence
    (only,) = intents(run)
    assert only.look_ups >= 2
    assert len(scene.restores()) == 1
    scene.assert_invariants()


def test_an_order_that_lands_after_everybody_gave_it_up_has_its_name_and_is_not_repeated(
    scene: Scene, settings: Any
) -> None:
    """The last resort: the call arrives later than any call may, while a second one is being sent.

    Which of the two meets the name first is Neon's affair. The effect is adopted, or, where the second order was
    turned away at the door before the first one landed, a person is asked; it is never repeated.
    """
    settings.NEON_CALL_DEADLINE_SECONDS = 0.3
    settings.EXECUTION_SETTLE_SECONDS = 0.1
    run = scene.started()
    scene.sandbox.faults.add("apply_late", seconds=1.2, **RESTORE)
    scene.sandbox.faults.add("foreign_operation", seconds=0.7, times=1, **RESTORE)
    work(run)
    assert run.outcome_code == "completed" or run.halt_code == "effect_unclear", run.halt_sentence
    assert len(scene.restores()) == 1
    assert len({call["body"]["preserve_under_name"] for call in scene.attempts()}) == 1
    scene.assert_invariants()


def test_a_reset_by_somebody_else_is_not_taken_for_ours(scene: Scene) -> None:
    run = scene.started()
    lose_the_order(scene, run)
    with scene.neon() as stranger:
        change = stranger.branches.restore(
            scene.sandbox.project_id,
            target_branch_id=scene.sandbox.branch_id,
            source_branch_id=scene.sandbox.branch_id,
            preserve_under_name="made by a stranger",
            source_timestamp=scene.moment(),
        )
        stranger.operations.wait_for(scene.sandbox.project_id, change.operation_ids, deadline_seconds=5)
    work(run)
    assert (run.state, run.halt_code) == ("halted", "effect_unknown")
    assert len(scene.attempts()) == 2, "the portal's only order and the stranger's"


def test_contradictory_traces_end_with_a_person(scene: Scene) -> None:
    """Our name exists, but nothing was reset: somebody made a branch of that name in between."""
    run = scene.started()
    assert run.request is not None
    lose_the_order(scene, run)
    with scene.neon() as stranger:
        stranger.branches.create(
            scene.sandbox.project_id, name=run.request.preserve_name, parent_id=scene.sandbox.branch_id
        )
    work(run)
    assert (run.state, run.halt_code) == ("halted", "effect_unknown")
    assert [intent.outcome for intent in intents(run)] == ["unknown"]
    run.request.refresh_from_db()
    assert run.request.state == RequestState.NEEDS_ATTENTION
    assert scene.restores() == []
    scene.assert_invariants()


def lose_the_order(scene: Scene, run: Execution) -> None:
    """Sends the order to a Neon that fails without doing anything; it is not settled yet when this returns."""
    scene.sandbox.faults.add("status", status=500, **RESTORE)
    advance(run.pk)
    assert [intent.outcome for intent in intents(run)] == ["pending"]
