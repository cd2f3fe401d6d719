"""Everything that the page on alerts shows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from backups.domain.notification import Control, Route
from backups.models import DampedAlert, Heartbeat, OutboxMessage
from backups.selectors.clock import database_now
from backups.selectors.notification import ChannelHealth, channel_health
from backups.selectors.routing import routes_in_force

_MOST_MESSAGES = 20
_REMEMBERED = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Watch:
    """One control and its watcher outside. `beat_at` None: it has never run as far as is known."""

    control: Control
    has_watcher: bool
    beat_at: dt.datetime | None
    went_well: bool | None
    told_beat_at: dt.datetime | None
    last_problem: str


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """`troubled`: messages of a week that are late or were given up, the newest first."""

    channels: list[ChannelHealth]
    routes: frozenset[Route]
    watches: list[Watch]
    troubled: list[OutboxMessage]
    damped: list[DampedAlert]


def alerts_page() -> AlertsPage:
    """Seven queries, however many messages there are."""
    now = database_now()
    return AlertsPage(
        channels=channel_health(now=now),
        routes=routes_in_force(),
        watches=watches(),
        troubled=_troubled(now),
        damped=list(DampedAlert.objects.order_by("due_at")[:_MOST_MESSAGES]),
    )


def watches() -> list[Watch]:
    """Every control, in the order of the words."""
    rows = {row.control: row for row in Heartbeat.objects.all()}
    return [_watch(control, rows.get(control.value)) for control in Control]


def _watch(control: Control, row: Heartbeat | None) -> Watch:
    return Watch(
        control=control,
        has_watcher=bool(settings.HEARTBEAT_URLS.get(control.value)),
        beat_at=row.beat_at if row else None,
        went_well=row.went_well if row else None,
        told_beat_at=row.told_beat_at if row else None,
        last_problem=row.last_problem if row else "",
    )


def _troubled(now: dt.datetime) -> list[OutboxMessage]:
    late = Q(
        next_attempt_at__isnull=False, created_at__lt=now - dt.timedelta(seconds=settings.NOTIFICATION_LATE_SECONDS)
    )
    given_up = Q(given_up_at__gt=now - _REMEMBERED) & ~Q(problem_code="outdated")
    messages = OutboxMessage.objects.filter(late | given_up).select_related("person")
    return list(messages.order_by("-pk")[:_MOST_MESSAGES])
