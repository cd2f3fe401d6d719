"""The portal itself: does the worker run, do messages arrive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from backups.domain.monitor import FindingCode, Observation, Severity
from backups.selectors.notification import ChannelHealth, channel_health
from backups.selectors.worker import WorkerState, worker_health


def worker(now: dt.datetime) -> Sequence[Observation]:
    """A heartbeat that a worker process ran lately. None at all is as bad as an old one: nothing would be restored."""
    health = worker_health()
    if health.state is WorkerState.OK:
        return []
    age = health.heartbeat_age_seconds
    since = f"The last heartbeat is {age:.0f} s old" if age is not None else "No heartbeat is known"
    return [
        Observation(
            code=FindingCode.WORKER_LATE,
            subject="worker",
            sentence=f"{since}: approved restores would not start, and nothing is delivered.",
            evidence={"heartbeat_age_seconds": age, "waiting_tasks": health.waiting_tasks},
        )
    ]


def messages(now: dt.datetime) -> Sequence[Observation]:
    """Messages that were given up in the last day, or wait for longer than they should, by channel."""
    return [
        Observation(
            code=FindingCode.MESSAGES_UNDELIVERED,
            subject=each.channel.value,
            sentence=f"By {each.channel.value}: {each.given_up} given up in a day, {each.late} waiting too long.",
            evidence={"channel": each.channel.value, "given_up": each.given_up, "late": each.late},
            severity=Severity.CRITICAL if each.given_up and not _sent_lately(each, now) else None,
        )
        for each in channel_health(now=now)
        if not each.is_well
    ]


def _sent_lately(channel: ChannelHealth, now: dt.datetime) -> bool:
    return channel.last_sent_at is not None and now - channel.last_sent_at < dt.timedelta(days=1)
