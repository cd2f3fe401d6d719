"""Exercises logged by people: entered, changed until they are over, begun, ended, cancelled."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backups.domain.drill import DrillOutcome, DrillState, DrillType
from backups.domain.drill_log import DrillAct
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.domain.restore import RequestState, Scenario
from backups.ledger.fields import Detail
from backups.models import Drill, Project, ProtectedBranch, RestoreRequest
from backups.selectors.clock import database_now
from backups.services.drill_log.governed import GrantedDrill, demand, on_drill, record_drill, text_errors, words_of
from backups.services.drill_log.telling import tell_signature_wanted
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import account_of, refusals_recorded, with_roles_of_now

MAX_TITLE_CHARACTERS = 160
_TELL = "Say what is rehearsed: what has happened, and to what. No patient details, please."
_STORY = "Say what came of it. The manager who signs, and auditors, read this."
_WHY = "Say why, in a few words."


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """What the form of an exercise holds. `branch_id` None: it is about the whole project."""

    type: DrillType
    title: str
    project_id: int
    scenario: Scenario
    story: str
    branch_id: int | None = None
    planned_for: dt.datetime | None = None
    restore_request_id: int | None = None
    rto_objective_seconds: int | None = None
    rpo_objective_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an exercise went. Times are aware. Noticed to verified is its measured recovery time."""

    outcome: DrillOutcome
    conclusion: str
    ended_at: dt.datetime
    noticed_at: dt.datetime | None = None
    verified_at: dt.datetime | None = None


def plan_exercise(*, actor: Actor, exercise: Exercise) -> Drill:
    """Enters an exercise that is to come, or that is being held or was held. Raises Refused, InvalidInput."""
    with refusals_recorded(actor=actor, target=Target(kind="drill", id="new")):
        actor = with_roles_of_now(actor)
        if actor.user_id is None or not actor.may(Capability.LOG_DRILL):
            raise Refused(action=None, code="drill_log_not_allowed", sentence="Your role does not let you log drills.")
        _check(exercise)
        drill = Drill(is_automatic=False, state=DrillState.PLANNED, asked_by_id=account_of(actor))
        drill.asked_by_name = actor.name
        _fill(drill, exercise)
        drill.save()
        _record_story(GrantedDrill(drill, actor, database_now()), "drill.exercise_planned", exercise.story)
        return drill


def change_exercise(*, actor: Actor, drill_id: int, exercise: Exercise) -> Drill:
    """Changes what was entered, until the exercise is over. Raises Refused, InvalidInput."""
    return on_drill(
        actor=actor, drill_id=drill_id, act=DrillAct.CHANGE, change=lambda granted: _change(granted, exercise)
    )


def begin_exercise(*, actor: Actor, drill_id: int) -> Drill:
    """Says that it is being held now. Raises Refused."""
    return on_drill(actor=actor, drill_id=drill_id, act=DrillAct.BEGIN, change=_begin)


def end_exercise(*, actor: Actor, drill_id: int, ending: Ending) -> Drill:
    """Says how it went; nothing but findings, actions, files and a signature is added after. Raises Refused,
    InvalidInput."""
    return on_drill(actor=actor, drill_id=drill_id, act=DrillAct.END, change=lambda granted: _end(granted, ending))


def cancel_exercise(*, actor: Actor, drill_id: int, reason: str) -> Drill:
    """It will not be held. Raises Refused, InvalidInput."""
    demand(text_errors("reason", reason, empty=_WHY))
    return on_drill(
        actor=actor, drill_id=drill_id, act=DrillAct.CANCEL, change=lambda granted: _cancel(granted, reason)
    )


def facts_of(drill: Drill) -> dict[str, Detail]:
    """What events about an exercise carry."""
    request = drill.restore_request
    return {
        "kind": str(drill.type),
        "scenario": str(drill.scenario),
        "planned_for": drill.planned_for,
        "request": request.reference if request else None,
    }


def _check(exercise: Exercise) -> None:
    errors = text_errors("story", exercise.story, empty=_TELL)
    title = exercise.title.strip()
    if not title or len(title) > MAX_TITLE_CHARACTERS:
        errors["title"] = f"Give it a short name, at most {MAX_TITLE_CHARACTERS} characters."
    if not Project.objects.filter(pk=exercise.project_id).exists():
        errors["project"] = "There is no such project."
    elif not _branch_fits(exercise):
        errors["branch"] = "This branch belongs to another project."
    wanted = exercise.restore_request_id
    if wanted is not None and not RestoreRequest.objects.filter(pk=wanted).exists():
        errors["restore_request"] = "There is no such restore request."
    demand(errors)


def _branch_fits(exercise: Exercise) -> bool:
    if exercise.branch_id is None:
        return True
    return ProtectedBranch.objects.filter(pk=exercise.branch_id, project=exercise.project_id).exists()


def _fill(drill: Drill, exercise: Exercise) -> list[str]:
    """Sets what differs and returns the names of those fields."""
    wanted = {
        "type": exercise.type.value,
        "title": exercise.title.strip(),
        "project_id": exercise.project_id,
        "branch_id": exercise.branch_id,
        "scenario": exercise.scenario.value,
        "planned_for": exercise.planned_for,
        "restore_request_id": exercise.restore_request_id,
        "rto_objective_seconds": exercise.rto_objective_seconds,
        "rpo_objective_seconds": exercise.rpo_objective_seconds,
    }
    changed = [name for name, value in wanted.items() if getattr(drill, name) != value]
    for name in changed:
        setattr(drill, name, wanted[name])
    return changed


def _record_story(granted: GrantedDrill, type: str, story: str, **more: Detail) -> None:
    drill = granted.drill
    event = record_drill(granted, type, facts_of(drill) | more, text=story.strip())
    drill.story = words_of(event)
    drill.save(update_fields=["story"])


def _change(granted: GrantedDrill, exercise: Exercise) -> Drill:
    _check(exercise)
    drill = granted.drill
    changed = _fill(drill, exercise)
    story_is_new = drill.story is None or drill.story.text != exercise.story.strip()
    if changed:
        drill.save(update_fields=changed)
    if changed or story_is_new:
        names: list[Detail] = [*sorted(changed), *(["story"] if story_is_new else [])]
        _record_story(granted, "drill.exercise_changed", exercise.story, changed_fields=names)  # type: ignore[arg-type]
    return drill


def _begin(granted: GrantedDrill) -> Drill:
    drill = granted.drill
    drill.state, drill.requested_at = DrillState.RUNNING, granted.now
    drill.save(update_fields=["state", "requested_at"])
    record_drill(granted, "drill.exercise_begun", facts_of(drill) | {"to_state": DrillState.RUNNING.value})
    return drill


def _end(granted: GrantedDrill, ending: Ending) -> Drill:
    demand(_ending_errors(ending, granted.now))
    drill, before = granted.drill, str(granted.drill.state)
    drill.state, drill.outcome = DrillState.ENDED, ending.outcome.value
    _fill_times(drill, ending)
    details: dict[str, Detail] = {
        "from_state": before,
        "to_state": DrillState.ENDED.value,
        "outcome": ending.outcome.value,
        "noticed_at": drill.noticed_at,
        "duration_ms": drill.rto_milliseconds,
    }
    event = record_drill(granted, "drill.exercise_ended", facts_of(drill) | details, text=ending.conclusion.strip())
    drill.conclusion = words_of(event)
    drill.save()
    tell_signature_wanted(drill)
    return drill


def _fill_times(drill: Drill, ending: Ending) -> None:
    """A restore that was really made knows its own times better than people remember them."""
    drill.ended_at = ending.ended_at
    drill.noticed_at, drill.verified_at = ending.noticed_at, ending.verified_at
    restore = drill.restore_request
    if restore is not None and restore.state == RequestState.COMPLETED:
        drill.requested_at = restore.submitted_at or drill.requested_at
        drill.approved_at = restore.approved_at
        drill.submitted_at = restore.submitted_to_neon_at
        drill.connectable_at = restore.connectable_at
        drill.noticed_at = drill.noticed_at or restore.noticed_at
        drill.verified_at = drill.verified_at or restore.closed_at
    if drill.noticed_at and drill.verified_at:
        if drill.verified_at < drill.noticed_at:
            raise InvalidInput({"noticed": "The restore was verified before this time."})
        drill.rto_milliseconds = round((drill.verified_at - drill.noticed_at).total_seconds() * 1000)


def _ending_errors(ending: Ending, now: dt.datetime) -> dict[str, str]:
    errors = text_errors("conclusion", ending.conclusion, empty=_STORY)
    times = (("ended", ending.ended_at), ("noticed", ending.noticed_at), ("verified", ending.verified_at))
    errors |= {field: "This time is in the future." for field, at in times if at is not None and at > now}
    if ending.noticed_at and ending.verified_at and ending.verified_at < ending.noticed_at:
        errors["verified"] = "It can't have been recovered before the damage was noticed."
    latest = max((at for at in (ending.noticed_at, ending.verified_at) if at is not None), default=ending.ended_at)
    if latest > ending.ended_at:
        errors.setdefault("ended", "The exercise can't have ended before that.")
    return errors


def _cancel(granted: GrantedDrill, reason: str) -> Drill:
    drill, before = granted.drill, str(granted.drill.state)
    drill.state = DrillState.CANCELLED
    states: dict[str, Detail] = {"from_state": before, "to_state": DrillState.CANCELLED.value}
    event = record_drill(granted, "drill.exercise_cancelled", facts_of(drill) | states, text=reason.strip())
    drill.conclusion = words_of(event)
    drill.save(update_fields=["state", "conclusion"])
    return drill
