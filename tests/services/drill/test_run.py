"""A drill from its beginning to its end: what is asked of Neon, what is written down, and what is left: nothing."""

from __future__ import annotations

from backups.models import CheckResult, ExecutionStep, LedgerEvent, OwnedBranch
from tests.services.drill.conftest import StubbedChecks
from tests.services.drill.rehearsing import begun, ended, left_behind, rehearsed
from tests.services.execution.scene import Scene


def test_it_makes_a_copy_checks_it_and_removes_it(scene: Scene, checks: StubbedChecks) -> None:
    drill = rehearsed(scene)
    assert (drill.state, drill.outcome, drill.outcome_code) == ("ended", "passed", "passed"), drill.outcome_sentence
    (order,) = scene.sandbox.calls("POST", "/branches")
    asked = order["body"]
    assert asked["branch"]["name"] == drill.copy_name == f"drill_{drill.reference}"
    assert asked["branch"]["expires_at"]
    assert asked["endpoints"][0]["autoscaling_limit_max_cu"] == 0.25
    assert left_behind(scene) == set()
    assert OwnedBranch.objects.get(drill=drill).fate == "gone"
    scene.assert_invariants()


def test_its_stages_are_measured_in_their_order(scene: Scene, checks: StubbedChecks) -> None:
    drill = rehearsed(scene)
    stages = [drill.requested_at, drill.submitted_at, drill.connectable_at, drill.verified_at, drill.ended_at]
    times = [at for at in stages if at is not None]
    assert len(times) == len(stages)
    assert times == sorted(times)
    assert drill.rto_milliseconds == round((times[3] - times[0]).total_seconds() * 1000)
    assert drill.point_at is not None
    assert drill.window_from is not None
    assert drill.window_to is not None
    assert drill.window_from <= drill.point_at <= drill.window_to
    assert drill.seed is not None


def test_every_step_and_every_change_has_its_event(scene: Scene, checks: StubbedChecks) -> None:
    run = begun(scene)
    ended(run)
    steps = list(
        ExecutionStep.objects.filter(execution=run, result__in=["advance", "finished"]).values_list("step", flat=True)
    )
    assert steps == ["preflight", "copy", "connect", "verify", "remove", "finish"]
    kinds = list(LedgerEvent.objects.filter(type__startswith="drill.").values_list("type", flat=True).order_by("id"))
    assert kinds == ["drill.plan_created", "drill.planned", "drill.started", "drill.verified", "drill.ended"]
    assert CheckResult.objects.filter(execution=run, outcome="passed").count() == 2


def test_the_real_checks_pass_on_a_quiet_database(scene: Scene) -> None:
    drill = rehearsed(scene, rpo_objective_seconds=300)
    rows = CheckResult.objects.exclude(outcome="passed").values_list("code", "subject", "outcome", "sentence")
    assert drill.outcome == "passed", (drill.outcome_sentence, list(rows))


def test_the_latest_point_needs_no_seed(scene: Scene, checks: StubbedChecks) -> None:
    drill = rehearsed(scene, point_choice="latest")
    assert (drill.seed, drill.point_at) == (None, drill.window_to)


def test_a_point_before_the_history_is_not_begun(scene: Scene, checks: StubbedChecks) -> None:
    drill = rehearsed(scene, point_choice="fixed_age", point_age_seconds=6 * 86_400)
    assert (drill.outcome, drill.outcome_code) == ("inconclusive", "no_point")
    assert "can go back only to" in drill.outcome_sentence
    assert scene.sandbox.calls("POST") == []
