"""Tells watchers outside that a control ran, so that its silence is noticed by somebody who does not depend on us.

`beat` only writes a row. A duty of the supervisor does the telling, in threads with deadlines, so that a dead address
delays neither the control nor the other addresses.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F, Q

from backups.domain.notification import Control
from backups.models import Heartbeat
from backups.selectors.clock import database_now
from backups.services.notification.errors import NotDelivered
from backups.services.notification.post import post

logger = logging.getLogger(__name__)

_FAILED = "fail"


@dataclass(frozen=True, slots=True)
class _Ping:
    control: Control
    url: str
    beat_at: dt.datetime
    well: bool


def beat(control: Control, *, well: bool = True) -> None:
    """Notes that the control has run to its end; call it only then. `well=False`: it ran and could not do its work.

    Never raises: a control is not stopped by what tells of it.
    """
    try:
        with transaction.atomic():
            Heartbeat.objects.update_or_create(
                control=control.value, defaults={"beat_at": database_now(), "went_well": well}
            )
    except DatabaseError:
        logger.exception("The heartbeat of %s was not noted", control.value)


def send_heartbeats() -> int:
    """A duty of the worker: tells each watcher of a beat that it has not heard of; returns how many were told.

    No watcher is called more often than every HEARTBEAT_EVERY_SECONDS, and none is told of a beat that is old:
    that would be a sign of life of something dead.
    """
    pings = list(_claimed())
    if not pings:
        return 0
    with ThreadPoolExecutor(max_workers=len(pings)) as threads:  # nothing in them touches the database
        problems = list(threads.map(_problem_of_telling, pings))
    for ping, problem in zip(pings, problems, strict=True):
        _note(ping, problem)
    return sum(problem is None for problem in problems)


def _claimed() -> Iterator[_Ping]:
    now = database_now()
    every = dt.timedelta(seconds=settings.HEARTBEAT_EVERY_SECONDS)
    urls = {control: url for control, url in settings.HEARTBEAT_URLS.items() if url}
    fresh = Heartbeat.objects.filter(control__in=urls, beat_at__gt=now - 2 * every)
    untold = fresh.filter(Q(told_beat_at__isnull=True) | Q(told_beat_at__lt=F("beat_at")))
    rested = Q(tried_at__isnull=True) | Q(tried_at__lte=now - every)
    for row in untold.filter(rested):
        if Heartbeat.objects.filter(rested, control=row.control).update(tried_at=now):
            yield _Ping(Control(row.control), urls[row.control], row.beat_at, row.went_well)


def _problem_of_telling(ping: _Ping) -> str | None:
    try:
        post(url=_address(ping), body=b"", headers={}, within_seconds=settings.HEARTBEAT_POST_SECONDS)
    except NotDelivered as problem:
        return problem.sentence
    except Exception as error:
        return f"Something unexpected happened ({type(error).__name__})."  # its text may hold the address
    return None


def _address(ping: _Ping) -> str:
    """As healthchecks.io and its relatives want it: the address itself, or with /fail at its end."""
    if ping.well:
        return ping.url
    parts = urlsplit(ping.url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{_FAILED}"))


def _note(ping: _Ping, problem: str | None) -> None:
    row = Heartbeat.objects.filter(control=ping.control.value)
    if problem is None:
        row.update(told_beat_at=ping.beat_at, told_well=ping.well, last_problem="")
        return
    row.update(last_problem=problem[:200])
    logger.warning("The watcher of %s was not told that it runs: %s", ping.control.value, problem)
