"""One cycle: every project that is due is read, a few at once, and judged one after the other."""

from __future__ import annotations

import datetime as dt
import logging
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from backups.domain.notification import Control
from backups.domain.people import Actor
from backups.models import MonitorRun
from backups.selectors.clock import database_now
from backups.selectors.monitor import last_cycle_at
from backups.services.execution.events import the_worker
from backups.services.monitor.claim import Held, Overtaken, claim_projects, is_free, let_go
from backups.services.monitor.conclude import conclude, conclude_unknown
from backups.services.monitor.controls.registry import PORTAL_CONTROLS
from backups.services.monitor.controls.shapes import verdict_of
from backups.services.monitor.facts import OUT_OF_TIME, NeonFacts, Reader
from backups.services.monitor.findings import Answer, Reconciliation, Tally
from backups.services.monitor.pace import shared_pace
from backups.services.monitor.prepare import Prepared, prepare
from backups.services.monitor.samples import prune
from backups.services.notification.heartbeat import beat

logger = logging.getLogger("backups.monitor")
_STARTED_AT = time.monotonic()


#: Neon answers about thirty questions about consumption a minute, for a whole account.
_MOST_USAGES = 10


@dataclass(slots=True)
class Cycle:
    """What one cycle came to."""

    started_at: dt.datetime
    projects: int = 0
    calls: int = 0
    failed_calls: int = 0


def monitor_when_due() -> bool:
    """The worker's duty; returns whether a cycle ran. Harmless at any time and in any number of processes."""
    if time.monotonic() - _STARTED_AT < settings.MONITOR_FIRST_SECONDS:
        return False
    held = claim_projects(only_due=True)
    if not held and not _portal_is_due():
        return False
    _run(held, origin="schedule", actor=the_worker())
    return True


def monitor_now(*, actor: Actor, origin: str = "command") -> None:
    """A cycle at once, over every project that nobody else is looking at just then."""
    _run(claim_projects(only_due=False), origin=origin, actor=actor)


def wait_for_others(*, longest_seconds: float | None = None) -> bool:
    """Waits until nobody looks at any project; False when that took too long."""
    ends_at = time.monotonic() + (longest_seconds or settings.MONITOR_CYCLE_SECONDS)
    while not is_free(database_now()):
        if time.monotonic() >= ends_at:
            return False
        time.sleep(0.2)
    return True


def _portal_is_due() -> bool:
    last = last_cycle_at()
    return last is None or (database_now() - last).total_seconds() >= settings.MONITOR_EVERY_SECONDS


def _run(held: list[Held], *, origin: str, actor: Actor) -> None:
    cycle, tally = Cycle(started_at=database_now(), projects=len(held)), Tally()
    for prepared, facts in _read_all(held):
        cycle.calls += prepared.count.calls
        cycle.failed_calls += prepared.count.failed
        tally.add(_conclude(prepared, facts, actor))
    tally.add(_judge_portal(actor))
    _note(cycle, tally, origin)
    beat(Control.MONITOR, well=not tally.blind)


def _read_all(held: list[Held]) -> Iterator[tuple[Prepared, NeonFacts]]:
    """Each project as soon as it is read: a slow one keeps no other waiting, and all end with the cycle's time."""
    ends_at = time.monotonic() + settings.MONITOR_CYCLE_SECONDS
    with ThreadPoolExecutor(max_workers=settings.MONITOR_READERS, thread_name_prefix="monitor") as pool:
        running: dict[Future[NeonFacts], Prepared] = {}
        usages = 0
        for each in held:
            prepared = _prepared(each, may_ask_usage=usages < _MOST_USAGES)
            if prepared is not None:
                usages += prepared.questions.with_usage
                running[pool.submit(_read, prepared, ends_at)] = prepared
        for future in as_completed(running):
            yield running[future], future.result()


def _prepared(held: Held, *, may_ask_usage: bool) -> Prepared | None:
    try:
        return prepare(held, may_ask_usage=may_ask_usage)
    except Exception as error:
        _log("preparing", held, error)
        let_go(held)
        return None


def _read(prepared: Prepared, ends_at: float) -> NeonFacts:
    """In a thread of its own, without the database."""
    if prepared.client is None:
        return NeonFacts.untold(prepared.questions, prepared.trouble)
    try:
        seconds = min(settings.MONITOR_PROJECT_SECONDS, ends_at - time.monotonic())
        if seconds <= 0:
            return NeonFacts.untold(prepared.questions, OUT_OF_TIME)
        pace, key = shared_pace(), prepared.key_name
        return Reader(prepared.client, prepared.questions, pace=pace, key=key, seconds=seconds).read()
    except Exception as error:
        _log("reading", prepared.held, error)
        return NeonFacts.untold(prepared.questions, f"The monitor failed while reading ({type(error).__name__}).")
    finally:
        prepared.client.close()


def _conclude(prepared: Prepared, facts: NeonFacts, actor: Actor) -> Tally:
    try:
        return conclude(prepared, facts, actor=actor)
    except Overtaken:
        logger.info("project %s was looked at again meanwhile; this look is dropped", prepared.project.pk)
    except Exception as error:
        _log("judging", prepared.held, error)
        return _unjudged(prepared, f"The monitor failed while judging ({type(error).__name__}).", actor)
    return Tally()


def _unjudged(prepared: Prepared, reason: str, actor: Actor) -> Tally:
    try:
        return conclude_unknown(prepared, reason, actor=actor)
    except Exception as error:
        # What stays in the rows grows old, and old answers are shown as unknown.
        _log("giving up", prepared.held, error)
        let_go(prepared.held)
        return Tally()


def _judge_portal(actor: Actor) -> Tally:
    with transaction.atomic():
        now = database_now()
        answers = [Answer(control.name, verdict_of(control.name, control.look, now)) for control in PORTAL_CONTROLS]
        return Reconciliation(None, now, actor).apply(answers)


def _note(cycle: Cycle, tally: Tally, origin: str) -> None:
    now = database_now()
    MonitorRun.objects.create(
        origin=origin,
        started_at=cycle.started_at,
        ended_at=now,
        projects=cycle.projects,
        calls=cycle.calls,
        failed_calls=cycle.failed_calls,
        answered=tally.answered,
        unknown=tally.unknown,
        opened=tally.opened,
        closed=tally.closed,
    )
    prune(now)


def _log(deed: str, held: Held, error: Exception) -> None:
    """The place without the message, which could quote a value."""
    where = "".join(traceback.format_tb(error.__traceback__)[-3:])
    logger.error("%s project %s failed: %s\n%s", deed, held.project_id, type(error).__name__, where)
