"""Drills in every state that a page has to show."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Any

from backups.domain.drill import DrillOutcome, DrillState, DrillType, FindingSeverity, PointChoice
from backups.domain.execution import BranchFate, BranchPurpose, ExecutionState, Purpose, Step
from backups.domain.restore import Scenario
from backups.models import (
    CheckResult,
    CorrectiveAction,
    Drill,
    DrillAttachment,
    DrillParticipant,
    DrillPlan,
    Execution,
    ExecutionStep,
    OwnedBranch,
    ProtectedBranch,
)
from backups.selectors.clock import database_now
from backups.services.corrective_action import add_drill_action
from backups.services.drill_log.course import add_note, add_participant
from backups.services.drill_log.exercise import Ending, Exercise, end_exercise, plan_exercise
from backups.services.drill_log.results import add_finding, attach_file, sign_off
from tests.factories import People

SECOND = dt.timedelta(seconds=1)


class ExerciseScene:
    """An exercise that Alice logs on the branch, with everything that can be added. Ended once `end` was called."""

    def __init__(self, people: People, branch: ProtectedBranch, title: str = "Rows deleted on a Sunday night") -> None:
        self.people = people
        exercise = Exercise(
            type=DrillType.TABLETOP,
            title=title,
            project_id=branch.project_id,
            branch_id=branch.pk,
            scenario=Scenario.ACCIDENTAL_DELETION,
            story="At 02:00 a clean-up script deletes medication logs.\nOnly one manager answers.",
            planned_for=database_now() - dt.timedelta(hours=1),
            rto_objective_seconds=3600,
        )
        self.drill = plan_exercise(actor=people.alice.actor, exercise=exercise)
        self.participant: DrillParticipant = add_participant(
            actor=people.alice.actor, drill_id=self.drill.pk, name="Dr. Ada Stone", part="clinic on call"
        )
        at = database_now() - dt.timedelta(minutes=30)
        add_note(actor=people.alice.actor, drill_id=self.drill.pk, at=at, text="Bob is called and does not answer")

    @cached_property
    def action(self) -> CorrectiveAction:
        due_on = database_now().date() + dt.timedelta(days=7)
        return add_drill_action(
            actor=self.people.alice.actor,
            drill_id=self.drill.pk,
            title="Put a second manager on call",
            owner_id=self.people.erin.user.pk,
            due_on=due_on,
        )

    @cached_property
    def file(self) -> DrillAttachment:
        return attach_file(
            actor=self.people.alice.actor, drill_id=self.drill.pk, name="minutes.md", content=b"# Minutes\n<b>hi</b>"
        )

    def end(self, *, signed_by: Any = None, outcome: DrillOutcome = DrillOutcome.PASSED) -> Drill:
        now = database_now()
        ending = Ending(
            outcome=outcome,
            conclusion="Everybody knew what to do.",
            ended_at=now,
            noticed_at=now - dt.timedelta(minutes=40),
            verified_at=now - dt.timedelta(minutes=10),
        )
        end_exercise(actor=self.people.alice.actor, drill_id=self.drill.pk, ending=ending)
        add_finding(
            actor=self.people.alice.actor,
            drill_id=self.drill.pk,
            severity=FindingSeverity.MAJOR,
            text="The second approver could not be reached",
        )
        if signed_by is not None:
            sign_off(actor=signed_by.actor, drill_id=self.drill.pk, text="Read it")
        return self.drill


def plan_of(branch: ProtectedBranch, **changes: Any) -> DrillPlan:
    """A weekly plan; its good drills count for seven days."""
    name = changes.pop("name", "Weekly, at a random moment")
    plan, _ = DrillPlan.objects.get_or_create(branch=branch, name=name, defaults={"created_by_name": "alice"} | changes)
    return plan


def automatic_drill(branch: ProtectedBranch, *, ended_ago: dt.timedelta | None = None, **changes: Any) -> Drill:
    """A drill that the portal ran and that passed, unless told otherwise, with steps, checks and a removed copy."""
    now = database_now()
    ended = now - (ended_ago or dt.timedelta(minutes=5))
    begun = ended - 8 * SECOND
    plan = changes.pop("plan", None) or plan_of(branch)
    fields: dict[str, Any] = {
        "type": DrillType.FUNCTIONAL,
        "is_automatic": True,
        "state": DrillState.ENDED,
        "outcome": DrillOutcome.PASSED,
        "title": plan.name,
        "project": branch.project,
        "branch": branch,
        "plan": plan,
        "scenario": Scenario.REHEARSAL,
        "asked_by_name": "the plan's schedule",
        "point_choice": PointChoice.RANDOM,
        "seed": 4711,
        "point_at": begun - dt.timedelta(hours=7),
        "window_from": begun - dt.timedelta(days=1),
        "window_to": begun,
        "requested_at": begun,
        "submitted_at": begun + SECOND,
        "connectable_at": begun + 4 * SECOND,
        "verified_at": begun + 6 * SECOND,
        "ended_at": ended,
        "rto_objective_seconds": plan.rto_objective_seconds,
        "rpo_objective_seconds": plan.rpo_objective_seconds,
        "rto_milliseconds": 6000,
        "rpo_milliseconds": 41_000,
        "outcome_sentence": "Every check passed.",
        "plan_facts": {"own_checks": [{"title": "No orphaned doses", "statement": "SELECT count(*) FROM doses"}]},
    }
    drill = Drill.objects.create(**(fields | changes))
    _run(drill, begun)
    return drill


def _run(drill: Drill, begun: dt.datetime) -> Execution:
    over = drill.state in {DrillState.ENDED, DrillState.CANCELLED}
    run = Execution.objects.create(
        purpose=Purpose.DRILL,
        state=ExecutionState.FINISHED if over else ExecutionState.ACTIVE,
        step=Step.FINISH if over else Step.CONNECT,
        project=drill.project,
        branch=drill.branch,
        drill=drill,
    )
    at = begun
    for step in (Step.PREFLIGHT, Step.COPY):
        ExecutionStep.objects.create(
            execution=run, step=step, fence=1, started_at=at, ended_at=at + 2 * SECOND, result="advance"
        )
        at += 2 * SECOND
    if over:
        _checks(run)
    OwnedBranch.objects.create(
        project=drill.project,
        name=drill.copy_name,
        neon_branch_id=f"br-drill-{drill.pk:08d}",
        purpose=BranchPurpose.DRILL,
        fate=BranchFate.GONE if over else BranchFate.PRESENT,
        owner_name="portal",
        drill=drill,
        gone_at=drill.ended_at,
    )
    return run


def _checks(run: Execution) -> None:
    failed = run.drill is not None and run.drill.outcome == DrillOutcome.FAILED
    rows = (
        ("connect", "", "The copy can be connected to", "passed", "in 0.4 s"),
        ("rows", "public.medications", "Holds what the source held", "failed" if failed else "passed", "41,022 rows"),
        ("own", "", "No orphaned doses", "inconclusive" if failed else "passed", "0 = 0"),
    )
    for position, (code, subject, title, outcome, sentence) in enumerate(rows):
        CheckResult.objects.create(
            execution=run, code=code, subject=subject, title=title, is_required=True, outcome=outcome,
            sentence=sentence, position=position, ended_at=database_now(),
        )  # fmt: skip
