"""The beginning of a drill: which moment can be recovered, and the order for the copy."""

from __future__ import annotations

import datetime as dt
import secrets

from django.conf import settings

from backups.domain.drill import PointChoice
from backups.domain.drill_point import SEED_BITS, NoSuchPoint, Window, choose_point, reachable_window
from backups.domain.drill_verdict import Trouble
from backups.domain.execution import BranchPurpose, Step
from backups.domain.restore import PointKind, RestorePoint
from backups.models import Drill, Execution
from backups.neon.errors import NeonNotFound, TryLater
from backups.neon.types import Branch
from backups.selectors.clock import database_now
from backups.services.drill import outcome
from backups.services.execution.context import StepContext
from backups.services.execution.drill_frame import drill_of, last_begin, not_begun, to_removal
from backups.services.execution.intents import IntentResult, NotSent, Refused, Unknown
from backups.services.execution.not_yet import not_yet
from backups.services.execution.own_copies import CopyFailed, CopyPlan, ask_for_copy, note_present
from backups.services.execution.results import Advance, Again, StepResult
from backups.services.execution.waits import backoff_seconds

#: The copy outlives the drill's limit by this, so that it is the portal that removes it, and Neon only if we die.
COPY_MARGIN = dt.timedelta(minutes=15)
#: The smallest compute of Neon; it is enough for checks that nobody waits for.
COMPUTE_UNITS = 0.25
REPLACED = Trouble(
    "source_replaced", "The branch was restored while the drill was under way, so nothing compares any more"
)


def preflight(context: StepContext) -> StepResult:
    """Reads at Neon how far the history goes, and chooses the moment. Nothing is changed yet."""
    drill = drill_of(context)
    try:
        window, begins_at = _window(context)
    except (NoSuchPoint, NeonNotFound) as error:
        return not_begun(context, "no_point", _why_no_point(error))
    except TryLater as error:
        return _try_again(context, drill, error)
    if window is None:
        return Again(after_seconds=backoff_seconds(context.tries), waiting_for="the branch to be ready")
    now = database_now()
    choice = PointChoice(drill.point_choice)
    seed = secrets.randbits(SEED_BITS) if choice is PointChoice.RANDOM else None
    try:
        age = drill.plan_facts["point_age_seconds"]
        point_at = choose_point(choice, window, now=now, age_seconds=age, seed=seed)
    except NoSuchPoint as error:
        return not_begun(context, "no_point", str(error))
    chosen = outcome.Chosen(window=window, seed=seed, point_at=point_at)
    return Advance(
        to=Step.COPY,
        memory={
            "history_begins_at": begins_at.isoformat() if begins_at else None,
            "source_branch_id": context.branch.neon_branch_id,
        },
        sentence=f"Recovers {point_at:%Y-%m-%d %H:%M:%S.%f} UTC"[:-7] + " UTC",
        commit=lambda _: outcome.note_started(drill_id=drill.pk, chosen=chosen, now=now),
    )


def ask(context: StepContext) -> StepResult:
    """Has Neon make the copy, once, owned from before the call and with a date on which it removes itself."""
    drill = drill_of(context)
    if drill.yielded_milliseconds and source_was_replaced(context):
        return to_removal(context, REPLACED)
    plan = copy_plan(drill)
    try:
        result, made = ask_for_copy(context, plan)
    except CopyFailed as failure:
        return to_removal(context, Trouble("copy_failed", str(failure), shows_failure=True))
    except NeonNotFound:
        return to_removal(context, Trouble("not_found", "Neon does not show this branch any more"))
    if made is None:
        return _not_made(context, result)
    submitted_at = dt.datetime.fromisoformat(made.asked_at)

    def commit(run: Execution) -> None:
        note_present(run, made, plan.name)
        outcome.note_submitted(drill_id=drill.pk, at=submitted_at)

    return Advance(
        to=Step.CONNECT, memory={"copy": made.to_json()}, sentence=f"Copy {plan.name} asked for", commit=commit
    )


def source_was_replaced(context: StepContext) -> bool:
    """Whether the branch was restored, reset or exchanged since the point was chosen: then nothing compares any more.

    Raises NeonError.
    """
    if context.memory.get("source_branch_id") != context.branch.neon_branch_id:
        return True
    branch = context.client.branches.get(context.project_id, context.branch.neon_branch_id)
    begins_at = _own_history(branch)
    return (begins_at.isoformat() if begins_at else None) != context.memory.get("history_begins_at")


def copy_plan(drill: Drill) -> CopyPlan:
    """The copy of a drill that has begun."""
    if drill.branch is None or drill.time_limit_at is None:
        raise LookupError("a drill that has begun has a branch and a limit")
    return CopyPlan(
        name=drill.copy_name,
        source_branch_id=drill.branch.neon_branch_id,
        point=RestorePoint(PointKind.TIMESTAMP, at=drill.point_at),
        purpose=BranchPurpose.DRILL,
        owner_name=drill.asked_by_name,
        expires_at=(drill.time_limit_at + COPY_MARGIN).replace(microsecond=0),
        annotation={"made-by": "carecircle-ops", "drill": drill.reference},
        drill=drill,
        compute_units=COMPUTE_UNITS,
    )


def _window(context: StepContext) -> tuple[Window | None, dt.datetime | None]:
    """What Neon can go back to, read now; None while the branch is not ready. Raises NeonError, NoSuchPoint."""
    project = context.client.projects.get(context.project_id)
    branch = context.client.branches.get(context.project_id, context.branch.neon_branch_id)
    if not branch.is_ready:
        return None, None
    begins_at = _own_history(branch)
    window = reachable_window(
        now=database_now(),
        history_seconds=project.history_retention_seconds,
        begins_at=begins_at,
        margin_seconds=settings.DRILL_POINT_MARGIN_SECONDS,
    )
    return window, begins_at


def _own_history(branch: Branch) -> dt.datetime | None:
    """Since when what Neon keeps is this branch's own: made, or replaced by a reset, a restore or a snapshot.

    What was between the point and the moment of a restore belongs to the branch that keeps it.
    """
    return max((at for at in (branch.created_at, branch.last_reset_at) if at is not None), default=None)


def _why_no_point(error: Exception) -> str:
    return "Neon does not show this branch any more" if isinstance(error, NeonNotFound) else str(error)


def _try_again(context: StepContext, drill: Drill, error: TryLater) -> StepResult:
    """Neon can't be asked. A drill that has not begun within its grace was missed."""
    if database_now() >= last_begin(drill):
        return not_begun(context, "unreachable", f"Neon could not be asked in time. {error.happened}")
    raise error


def _not_made(context: StepContext, result: IntentResult) -> StepResult:
    later = not_yet(result)
    if later is not None:
        return later
    if isinstance(result, Refused):
        return to_removal(context, Trouble("copy_refused", result.sentence, shows_failure=True))
    sentence = result.sentence if isinstance(result, Unknown | NotSent) else "Neon did not show the copy"
    return to_removal(context, Trouble("copy_unclear", sentence))
