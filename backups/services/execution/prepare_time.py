"""The time boxes of a preparation, measured by the database's clock from the submission."""

from __future__ import annotations

import datetime as dt

from backups.domain.execution import Step
from backups.domain.policy import DEFAULT_POLICY
from backups.selectors.clock import database_now
from backups.services.execution.context import StepContext
from backups.services.observed_facts import Parts

#: The share of the whole preparation after which a step must be over. Publishing keeps the rest for itself.
SHARES = {Step.FACTS: 1.0, Step.COPY: 0.45, Step.INSPECT: 0.55, Step.COMPARE: 0.8, Step.REHEARSE: 0.94}
#: Kept back from a step for writing its result down.
_MARGIN_SECONDS = 0.5


def seconds_left(context: StepContext) -> float:
    """What is left of the step's box and of this claim; zero when either is over."""
    left = (_box_ends_at(context) - database_now()).total_seconds()
    return max(0.0, min(left, context.remaining_seconds() - _MARGIN_SECONDS))


def box_is_over(context: StepContext) -> bool:
    """True when the step's share of the preparation is used up, whatever this claim still has."""
    return database_now() >= _box_ends_at(context)


def _box_ends_at(context: StepContext) -> dt.datetime:
    run = context.execution
    deadline = run.deadline_at or run.created_at + dt.timedelta(seconds=DEFAULT_POLICY.preparation_seconds)
    return run.created_at + (deadline - run.created_at) * SHARES[Step(run.step)]


def parts_of(context: StepContext) -> Parts:
    """What the steps before have found."""
    return Parts.from_json(context.memory.get("parts", {}))
