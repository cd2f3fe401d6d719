"""What the worker writes down of a drill. Each function runs in the transaction that ends a step of its run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from backups.domain.drill import DrillOutcome, DrillState
from backups.domain.drill_point import Window
from backups.domain.drill_verdict import Verdict
from backups.domain.ledger import Outcome
from backups.ledger.fields import Detail
from backups.models import Drill
from backups.services.drill.events import record_drill
from backups.services.drill.lock import lock_drill
from backups.services.drill.telling import tell_ended

_OUTCOMES = {
    DrillOutcome.PASSED: Outcome.SUCCESS,
    DrillOutcome.FAILED: Outcome.FAILURE,
    DrillOutcome.INCONCLUSIVE: Outcome.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The moment that a drill recovers, and how it was found."""

    window: Window
    seed: int | None
    point_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was measured on the copy, for the drill's row."""

    rpo_milliseconds: int | None
    rpo_is_exact: bool | None
    checks: Mapping[str, int]


def note_started(*, drill_id: int, chosen: Chosen, now: dt.datetime) -> None:
    """The rehearsal begins; its time limit counts from here."""
    drill = lock_drill(drill_id)
    if drill.state != DrillState.WAITING:
        return
    drill.state = DrillState.RUNNING
    drill.seed, drill.point_at = chosen.seed, chosen.point_at
    drill.window_from, drill.window_to = chosen.window.begins, chosen.window.ends
    drill.time_limit_at = now + dt.timedelta(seconds=int(drill.plan_facts["time_limit_seconds"]))
    drill.save(update_fields=["state", "seed", "point_at", "window_from", "window_to", "time_limit_at"])
    details: dict[str, Detail] = {
        "seed": drill.seed,
        "window_from": drill.window_from,
        "window_to": drill.window_to,
        "point_time": drill.point_at,
        "point_kind": drill.point_choice,
        "deadline": drill.time_limit_at,
    }
    record_drill(drill, "drill.started", details=details)


def note_submitted(*, drill_id: int, at: dt.datetime) -> None:
    """Neon took the order for the copy."""
    Drill.objects.filter(pk=drill_id, submitted_at__isnull=True).update(submitted_at=at)


def note_connectable(*, drill_id: int, at: dt.datetime) -> None:
    """Every database of the copy took a connection."""
    Drill.objects.filter(pk=drill_id, connectable_at__isnull=True).update(connectable_at=at)


def note_verified(*, drill_id: int, at: dt.datetime, counted: Counted) -> None:
    """All checks have ended: the recovery time is what it took from the asking, without what was yielded."""
    drill = lock_drill(drill_id)
    drill.verified_at = at
    drill.rto_milliseconds = technical_milliseconds(drill, until=at)
    drill.rpo_milliseconds, drill.rpo_is_exact = counted.rpo_milliseconds, counted.rpo_is_exact
    drill.save(update_fields=["verified_at", "rto_milliseconds", "rpo_milliseconds", "rpo_is_exact"])
    record_drill(drill, "drill.verified", details={**counted.checks, "duration_ms": drill.rto_milliseconds})


def note_yielding(*, drill_id: int, at: dt.datetime, request: str) -> None:
    """The drill stands still. Told once, however often it looks whether it may go on."""
    drill = lock_drill(drill_id)
    if drill.yielding_since is None:
        drill.yielding_since = at
        drill.save(update_fields=["yielding_since"])
        record_drill(drill, "drill.yielded", details={"request": request})


def note_resumed(*, drill_id: int, at: dt.datetime) -> None:
    """The drill goes on; what it stood still is kept apart from what the recovery took."""
    drill = lock_drill(drill_id)
    if drill.yielding_since is None:
        return
    drill.yielded_milliseconds += max(0, _milliseconds(at - drill.yielding_since))
    drill.yielding_since = None
    drill.save(update_fields=["yielded_milliseconds", "yielding_since"])
    record_drill(drill, "drill.resumed", details={"yielded_ms": drill.yielded_milliseconds})


def end_drill(*, drill_id: int, verdict: Verdict, at: dt.datetime, checks: Mapping[str, int] | None = None) -> None:
    """Writes the outcome, once; people are told."""
    drill = lock_drill(drill_id)
    if drill.state not in {DrillState.WAITING, DrillState.RUNNING}:
        return
    _end_yield(drill, at)
    drill.state, drill.outcome, drill.ended_at = DrillState.ENDED, verdict.outcome, at
    drill.outcome_code, drill.outcome_sentence = verdict.code[:60], verdict.sentence[:400]
    drill.save()
    details: dict[str, Detail] = {
        "outcome": verdict.outcome.value,
        "error": None if verdict.outcome is DrillOutcome.PASSED else verdict.code[:60],
        "rto_ms": drill.rto_milliseconds,
        "rpo_ms": drill.rpo_milliseconds,
        "yielded_ms": drill.yielded_milliseconds,
        "rto_objective_seconds": drill.rto_objective_seconds,
        "rpo_objective_seconds": drill.rpo_objective_seconds,
        "seed": drill.seed,
        "point_time": drill.point_at,
        **(checks or {}),
    }
    record_drill(drill, "drill.ended", details=details, outcome=_OUTCOMES[verdict.outcome])
    tell_ended(drill)


def end_cancelled(*, drill_id: int, at: dt.datetime, sentence: str) -> None:
    """Ends a drill that somebody cancelled; it shows nothing."""
    drill = lock_drill(drill_id)
    if drill.state not in {DrillState.WAITING, DrillState.RUNNING}:
        return
    _end_yield(drill, at)
    drill.state, drill.ended_at = DrillState.CANCELLED, at
    drill.outcome_code, drill.outcome_sentence = "cancelled", sentence[:400]
    drill.save()
    record_drill(drill, "drill.cancelled", details={"yielded_ms": drill.yielded_milliseconds})


def technical_milliseconds(drill: Drill, *, until: dt.datetime) -> int:
    """From the asking to `until`, without the time in which the drill yielded."""
    began = drill.requested_at or drill.created_at
    return max(0, _milliseconds(until - began) - yielded_milliseconds(drill, until=until))


def yielded_milliseconds(drill: Drill, *, until: dt.datetime) -> int:
    """How long the drill has yielded, with the time in which it does so now."""
    now = 0 if drill.yielding_since is None else max(0, _milliseconds(until - drill.yielding_since))
    return int(drill.yielded_milliseconds) + now


def _end_yield(drill: Drill, at: dt.datetime) -> None:
    drill.yielded_milliseconds = yielded_milliseconds(drill, until=at)
    drill.yielding_since = None


def _milliseconds(span: dt.timedelta) -> int:
    return round(span / dt.timedelta(milliseconds=1))
