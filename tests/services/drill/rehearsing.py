"""Plans and drills for tests, made through the services."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from backups.models import Drill, DrillPlan, Execution
from backups.services.drill.input import PlanWish
from backups.services.drill.plans import create_plan
from backups.services.drill.run import run_plan_now
from backups.services.execution import advance as advancing
from tests.services.execution.scene import Scene, work

#: Without a canary and with nobody writing, the age of the newest data is not the subject of most tests.
UNJUDGED: dict[str, Any] = {"rpo_objective_seconds": None}


def planned(scene: Scene, **fields: Any) -> DrillPlan:
    wish: dict[str, Any] = {"branch_id": scene.branch.pk, "name": f"Plan {DrillPlan.objects.count() + 1}"}
    return create_plan(actor=scene.people.alice.actor, wish=PlanWish(**(wish | UNJUDGED | fields)))


def begun(scene: Scene, **fields: Any) -> Execution:
    """The run of a new drill, not yet worked on."""
    drill = run_plan_now(actor=scene.people.alice.actor, plan_id=planned(scene, **fields).pk)
    return Execution.objects.get(drill=drill)


def rehearsed(scene: Scene, **fields: Any) -> Drill:
    """A drill that was worked on until its end."""
    return ended(begun(scene, **fields))


def ended(run: Execution) -> Drill:
    work(run)
    drill = Drill.objects.get(executions=run)
    assert run.state == "finished", (run.state, run.halt_sentence)
    return drill


def worked_until(run: Execution, step: str) -> Execution:
    """The run just before that step, which nobody has begun."""
    one_step = advancing._one_step

    def only_one(claim: Any, workplace: Any, began: float) -> bool:
        return one_step(claim, workplace, float("-inf"))

    with patch.object(advancing, "_one_step", only_one):
        return work(run, until=step)


def names(scene: Scene) -> set[str]:
    """The branches that Neon shows."""
    with scene.neon() as client:
        return {branch.name for branch in client.branches.list(scene.sandbox.project_id)}


def left_behind(scene: Scene) -> set[str]:
    """Copies of drills that Neon still has."""
    return {name for name in names(scene) if name.startswith("drill_")}
