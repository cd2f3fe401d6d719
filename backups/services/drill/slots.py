"""Planned times: each gets its slot once, taken by a drill or missed with its reason; none is skipped in silence."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import groupby, islice, takewhile

from backups.domain.drill import SlotState
from backups.domain.ledger import Outcome
from backups.domain.people import SYSTEM
from backups.models import DrillPlan, DrillSlot
from backups.selectors.drill_actions import open_drill_of
from backups.selectors.restore import governing_requests
from backups.services.drill.begin import begin_drill
from backups.services.drill.events import plan_reference, target_of_plan
from backups.services.drill.schedule import times_after
from backups.services.drill.telling import tell_missed
from backups.services.ledger import record_event

#: A portal that was away for a year may have many times to record; each pass does so many.
MOST_SLOTS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no drill of the plan can begin, and since when that is so. `code` is for the ledger."""

    code: str
    sentence: str
    since: dt.datetime | None = None

    def stood_by(self, at: dt.datetime) -> bool:
        """Whether it was there already at that time."""
        return self.since is None or self.since <= at


_AWAY = Obstacle("not_running", "The portal's worker was not running then.")
_CHANGED = Obstacle("plan_changed", "The plan was changed or retired before the drill could begin.")


def settle_slots(plan: DrillPlan, *, now: dt.datetime, may_begin: bool = True, most: int = MOST_SLOTS_AT_ONCE) -> bool:
    """Gives the plan's times up to `now` their slots. False when more of them wait for another pass.

    Only the newest may begin a drill, late by the plan's grace at most: a portal that was away never makes up for
    what it missed by running everything at once. While an obstacle stands within the grace its slot stays open.
    The caller holds the plan's lock and saves `planned_until`, which is moved on the object.
    """
    due = _due_times(plan, now, most + 1)
    is_all = len(due) <= most
    newest = due.pop() if due and is_all else None
    _miss(plan, due[:most], obstacle_for(plan), None if may_begin else _CHANGED)
    if newest is not None:
        _settle_newest(plan, newest, now, may_begin)
    return is_all


def obstacle_for(plan: DrillPlan) -> Obstacle | None:
    """What keeps a drill of this plan from beginning now."""
    if plan.branch.missing_since is not None:
        return Obstacle("branch_missing", "Neon no longer has this branch.", plan.branch.missing_since)
    request = governing_requests(plan.branch.project).order_by("approved_at").first()
    if request is not None:
        return Obstacle("yields", f"Production came first: {request.reference}.", request.approved_at)
    earlier = open_drill_of(plan)
    if earlier is not None:
        return Obstacle("still_running", f"{earlier.reference} of this plan had not ended.", earlier.created_at)
    return None


def _due_times(plan: DrillPlan, now: dt.datetime, most: int) -> list[dt.datetime]:
    after = plan.planned_until or plan.created_at
    return list(islice(takewhile(lambda at: at <= now, times_after(plan, after)), most))


def _settle_newest(plan: DrillPlan, due_at: dt.datetime, now: dt.datetime, may_begin: bool) -> None:
    obstacle = obstacle_for(plan)
    if not may_begin or now > _last_start(plan, due_at):
        _miss(plan, [due_at], obstacle, None if may_begin else _CHANGED)
    elif obstacle is None:
        drill = begin_drill(plan, actor=SYSTEM, now=now, due_at=due_at)
        DrillSlot.objects.create(plan=plan, due_at=due_at, state=SlotState.TAKEN, drill=drill)
        plan.planned_until = due_at


def _miss(plan: DrillPlan, due: list[dt.datetime], obstacle: Obstacle | None, reason: Obstacle | None) -> None:
    """One row for each time, and one event for each run of times with the same reason."""
    if not due:
        return
    told = [(at, reason or _reason_at(plan, at, obstacle)) for at in due]
    DrillSlot.objects.bulk_create(
        DrillSlot(plan=plan, due_at=at, state=SlotState.MISSED, sentence=why.sentence[:200]) for at, why in told
    )
    plan.planned_until = due[-1]
    for why, members in groupby(told, key=lambda pair: pair[1]):
        times = [at for at, _ in members]
        _tell(plan, times, why)
        if why is not _CHANGED:
            tell_missed(plan, due=times, why=why.sentence)


def _reason_at(plan: DrillPlan, due_at: dt.datetime, obstacle: Obstacle | None) -> Obstacle:
    """The obstacle, if it stood there while this drill could have begun."""
    return obstacle if obstacle is not None and obstacle.stood_by(_last_start(plan, due_at)) else _AWAY


def _last_start(plan: DrillPlan, due_at: dt.datetime) -> dt.datetime:
    return due_at + dt.timedelta(seconds=plan.slot_grace_seconds)


def _tell(plan: DrillPlan, due: list[dt.datetime], why: Obstacle) -> None:
    record_event(
        type="drill.missed",
        actor=SYSTEM,
        target=target_of_plan(plan),
        outcome=Outcome.FAILURE,
        details={
            "drill_plan": plan_reference(plan),
            "branch_name": plan.branch.name,
            "due_at": due[0],
            "last_due_at": due[-1],
            "slots": len(due),
            "error": why.code,
            "message": why.sentence[:200],
        },
        sandbox=plan.branch.project.is_sandbox,
        correlation=plan_reference(plan),
    )
