"""How far a run is, and how long its steps took in runs before it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Max, Min

from backups.domain.execution import ExecutionState, Purpose
from backups.models import Execution, ExecutionStep

_RUNS_LOOKED_AT = 12


@dataclass(frozen=True, slots=True)
class Usual:
    """Shortest and longest time that a step took lately."""

    low_seconds: float
    high_seconds: float
    runs: int


def usual_times(purpose: Purpose) -> dict[str, Usual]:
    """By step, over the newest ended runs of this purpose; a step that never ran is not in it."""
    ended = Execution.objects.filter(purpose=purpose, state=ExecutionState.FINISHED).order_by("-pk")
    newest = list(ended.values_list("pk", flat=True)[:_RUNS_LOOKED_AT])
    passes = (
        ExecutionStep.objects.filter(execution__in=newest)
        .values("execution_id", "step")
        .annotate(began=Min("started_at"), done=Max("ended_at"))
    )
    took: dict[str, list[dt.timedelta]] = defaultdict(list)
    for row in passes:
        took[row["step"]].append(row["done"] - row["began"])
    return {step: _usual([each.total_seconds() for each in times]) for step, times in took.items()}


def _usual(seconds: list[float]) -> Usual:
    return Usual(min(seconds), max(seconds), len(seconds))
