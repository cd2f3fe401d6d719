"""A restore in place from the start to the end, at a Neon that behaves."""

from __future__ import annotations

from backups.domain.restore import RequestState
from backups.models import OwnedBranch
from tests.services.execution.scene import Scene, intents, work


def test_an_approved_request_is_restored_once_and_verified(scene: Scene) -> None:
    run = work(scene.started())
    assert (run.state, run.outcome_code) == ("finished", "completed"), (run.halt_sentence, run.outcome_code)
    assert run.request is not None
    run.request.refresh_from_db()
    assert run.request.state == RequestState.COMPLETED
    assert len(scene.restores()) == 1
    assert [intent.outcome for intent in intents(run)] == ["applied"]
    kept = OwnedBranch.objects.get(name=run.request.preserve_name)
    assert (kept.fate, kept.purpose) == ("present", "preserved")
    scene.assert_invariants()
