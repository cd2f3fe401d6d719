"""Which function is which step of which run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from backups.domain.execution import Purpose, Step
from backups.services.execution import (
    dispose_steps,
    drill_steps,
    look_steps,
    plan_steps,
    prepare_steps,
    prune_steps,
    restore_steps,
    safety_copy_steps,
)
from backups.services.execution.context import StepContext
from backups.services.execution.results import StepResult

StepFunction: TypeAlias = Callable[[StepContext], StepResult]
#: Called instead of a step when the run can't go on: with the code and the sentence of why.
GiveUp: TypeAlias = Callable[[StepContext, str, str], StepResult]

STEPS: Mapping[Purpose, Mapping[Step, StepFunction]] = {
    Purpose.RESTORE: restore_steps.STEPS | restore_steps.COPY_STEPS,
    Purpose.PREPARE: prepare_steps.STEPS,
    Purpose.LOOK: look_steps.STEPS,
    Purpose.DISPOSE: dispose_steps.STEPS,
    Purpose.SAFETY_COPY: safety_copy_steps.STEPS,
    Purpose.PRUNE: prune_steps.STEPS,
    Purpose.DRILL: drill_steps.STEPS,
    Purpose.BACKUP_PLAN: plan_steps.STEPS,
}
GIVE_UP: Mapping[Purpose, GiveUp] = {
    Purpose.RESTORE: restore_steps.give_up,
    Purpose.PREPARE: prepare_steps.give_up,
    Purpose.LOOK: look_steps.give_up,
    Purpose.DISPOSE: dispose_steps.give_up,
    Purpose.SAFETY_COPY: safety_copy_steps.give_up,
    Purpose.PRUNE: prune_steps.give_up,
    Purpose.DRILL: drill_steps.give_up,
    Purpose.BACKUP_PLAN: plan_steps.give_up,
}
