"""A drill and a production restore in the same project: the restore goes first, and the drill knows that it did."""

from __future__ import annotations

import time

import pytest

from backups.models import Drill
from backups.services.execution.advance import advance
from tests.services.drill.conftest import StubbedChecks
from tests.services.drill.rehearsing import begun, ended, left_behind, worked_until
from tests.services.drill.test_yields import Approval
from tests.services.execution.scene import Scene, work

OPERATION_SECONDS = 0.4


@pytest.mark.parametrize("step", ["copy", "connect", "verify"])
def test_a_restore_is_never_kept_waiting_by_more_than_what_was_in_flight(
    scene: Scene, checks: StubbedChecks, step: str
) -> None:
    """At `connect` the copy has just been ordered: the restore meets 423 until Neon has made it, and not longer."""
    run = worked_until(begun(scene), step)
    request = scene.published(scene.submitted())
    scene.sandbox.settings(operation_seconds=OPERATION_SECONDS)
    scene.voted(request)
    before = len(scene.sandbox.calls())
    advance(run.pk)
    assert len(scene.sandbox.calls()) == before
    began = time.monotonic()
    restore = work(scene.started(request))
    assert restore.outcome_code == "completed", restore.halt_sentence
    assert time.monotonic() - began < 6 * OPERATION_SECONDS + 3
    drill = ended(run)
    assert (drill.outcome, drill.outcome_code) == ("inconclusive", "source_replaced"), drill.outcome_sentence
    assert drill.yielded_milliseconds > 0
    assert left_behind(scene) == set()
    scene.assert_invariants()


def test_a_withdrawn_request_leaves_the_drill_as_it_was(scene: Scene, checks: StubbedChecks) -> None:
    run = worked_until(begun(scene), "verify")
    approval = Approval(scene)
    approval.give()
    advance(run.pk)
    assert Drill.objects.get().yielding_since is not None
    approval.end()
    assert ended(run).outcome == "passed"
