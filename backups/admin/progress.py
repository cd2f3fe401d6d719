"""The steps of a run, as a list that people can follow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils import timezone

from backups.admin import words
from backups.domain.execution import CLAIMABLE, ExecutionState, Purpose, Step
from backups.models import Execution, ExecutionStep
from backups.selectors.progress import Usual


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One line: done with its time, at work since, or still to come."""

    words: str
    look: str  # is-done, is-now, is-stopped, is-next
    seconds: float | None
    since: dt.datetime | None
    elapsed: str
    sentence: str
    usual: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A run for people: its lines, and what it waits for."""

    steps: list[ShownStep]
    waiting_for: str
    waiting_since: dt.datetime | None
    next_attempt_at: dt.datetime | None
    began_at: dt.datetime
    is_moving: bool


def progress_of(run: Execution, usual: Mapping[str, Usual] | None = None) -> Progress:
    """Reads only what was prefetched with the run."""
    now = timezone.now()
    passes = list(run.steps.all())
    state = ExecutionState(run.state)
    return Progress(
        steps=[_shown(step, run, passes, (usual or {}).get(step.value), now) for step in _steps_of(run, passes)],
        waiting_for=run.waiting_for,
        waiting_since=run.waiting_since,
        next_attempt_at=run.next_attempt_at,
        began_at=run.created_at,
        is_moving=state in CLAIMABLE,
    )


def _steps_of(run: Execution, passes: Sequence[ExecutionStep]) -> tuple[Step, ...]:
    seen = {run.step, *(each.step for each in passes)}
    if run.purpose == Purpose.RESTORE and seen & {Step.COPY, Step.REHEARSE}:
        return words.STEPS_WITH_COPY
    return words.STEPS_OF[Purpose(run.purpose)]


def elapsed(since: dt.datetime, now: dt.datetime) -> str:
    """`0:07`, as a stop-watch shows it."""
    seconds = max(0, int((now - since).total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02d}"


def _shown(
    step: Step, run: Execution, passes: Sequence[ExecutionStep], usual: Usual | None, now: dt.datetime
) -> ShownStep:
    own = [each for each in passes if each.step == step.value]
    look = _look(step, run, own, _steps_of(run, passes))
    since = _since(run, own, passes) if look == "is-now" else None
    return ShownStep(
        words=words.STEP_IN.get((Purpose(run.purpose), step), words.STEP[step]),
        look=look,
        seconds=_took(own) if look == "is-done" else None,
        since=since,
        elapsed=elapsed(since, now) if since else "",
        sentence=own[-1].sentence if own else "",
        usual=_usual_words(usual) if look == "is-now" else "",
    )


def _look(step: Step, run: Execution, own: Sequence[ExecutionStep], order: Sequence[Step]) -> str:
    if run.state == ExecutionState.FINISHED:
        return "is-done" if own else "is-next"
    if step.value != run.step:
        reached = order.index(Step(run.step)) if Step(run.step) in order else len(order)
        return "is-done" if own and order.index(step) < reached else "is-next"
    return "is-now" if ExecutionState(run.state) in CLAIMABLE else "is-stopped"


def _took(own: Sequence[ExecutionStep]) -> float | None:
    return (own[-1].ended_at - own[0].started_at).total_seconds() if own else None


def _since(run: Execution, own: Sequence[ExecutionStep], passes: Sequence[ExecutionStep]) -> dt.datetime:
    if own:
        return own[0].started_at
    return passes[-1].ended_at if passes else run.created_at


def _usual_words(usual: Usual | None) -> str:
    if usual is None:
        return ""
    low, high = words.precise(usual.low_seconds), words.precise(usual.high_seconds)
    times = low if low == high else f"{low} to {high}"
    return f"usually {times}, seen in {usual.runs} run{'s' if usual.runs != 1 else ''}"
