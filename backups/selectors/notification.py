"""Who was told of a request and how that went, and how well each channel delivers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q, QuerySet

from backups.domain.notification import Topic
from backups.models import Channel, ChannelState, OutboxMessage, RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.routing import is_configured

#: Why a message was not sent although its channel may be well.
NOT_THE_CHANNELS_FAULT = frozenset({"outdated", "no_address", "not_configured"})
_REMEMBERED = dt.timedelta(days=1)


class ToldState(StrEnum):
    """How far a message got."""

    SENT = "sent"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Told:
    """One message that asked for votes: `at` is when its channel took it, or when it was given up."""

    channel: Channel
    state: ToldState
    at: dt.datetime | None
    attempts: int
    problem: str

    @property
    def sent_at(self) -> dt.datetime | None:
        return self.at if self.state is ToldState.SENT else None


def told_for_votes(request: RestoreRequest, person_ids: Collection[int]) -> dict[int, Told]:
    """By person, the newest message that asked for a vote. Who is missing was never to be told."""
    messages = _asking(request).filter(person__in=person_ids).order_by("pk")
    return {message.person_id: _told(message) for message in messages if message.person_id is not None}


def team_told_for_votes(request: RestoreRequest) -> list[Told]:
    """The newest message that asked for votes, for each team channel."""
    messages = _asking(request).filter(person__isnull=True).order_by("pk")
    return list({message.channel: _told(message) for message in messages}.values())


def _asking(request: RestoreRequest) -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(request=request, topic=Topic.VOTES_WANTED.value)


def _told(message: OutboxMessage) -> Told:
    state = ToldState.WAITING
    if message.sent_at is not None:
        state = ToldState.SENT
    elif message.given_up_at is not None:
        state = ToldState.FAILED
    return Told(
        channel=Channel(message.channel),
        state=state,
        at=message.sent_at or message.given_up_at,
        attempts=message.attempts,
        problem=message.last_problem,
    )


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How well one channel delivers. `late` are of those that wait; `given_up` and `unreachable` of the last day.

    `given_up`: tried until the limit, or lost with its senders. `unreachable`: an account without an address, or mail
    that is not set up.
    """

    channel: Channel
    is_configured: bool
    waiting: int
    late: int
    given_up: int
    unreachable: int
    oldest_waiting_seconds: float | None
    held_until: dt.datetime | None
    last_sent_at: dt.datetime | None
    last_failed_at: dt.datetime | None
    last_problem: str

    @property
    def is_well(self) -> bool:
        """Nothing is late and nothing was given up. Says nothing of a channel that is not set up."""
        return not self.late and not self.given_up

    @property
    def failed_last(self) -> bool:
        """The newest attempt on it went wrong; what waits is tried again."""
        if self.last_failed_at is None:
            return False
        return self.last_sent_at is None or self.last_failed_at > self.last_sent_at


def channel_health(*, now: dt.datetime | None = None) -> list[ChannelHealth]:
    """Every channel, in two queries: for the monitor's control and for the page."""
    now = now or database_now()
    counts = {row["channel"]: row for row in _counted(now)}
    states = {state.channel: state for state in ChannelState.objects.all()}
    return [_health(channel, counts.get(channel.value, {}), states.get(channel.value), now) for channel in Channel]


def _counted(now: dt.datetime) -> QuerySet[OutboxMessage, dict[str, Any]]:
    waiting = Q(next_attempt_at__isnull=False)
    late_since = now - dt.timedelta(seconds=settings.NOTIFICATION_LATE_SECONDS)
    given_up = Q(given_up_at__gt=now - _REMEMBERED)
    elsewhere = Q(problem_code__in=NOT_THE_CHANNELS_FAULT)
    return (
        OutboxMessage.objects.filter(waiting | given_up)
        .values("channel")
        .annotate(
            waiting=Count("pk", filter=waiting),
            late=Count("pk", filter=waiting & Q(created_at__lt=late_since)),
            given_up=Count("pk", filter=given_up & ~elsewhere),
            unreachable=Count("pk", filter=given_up & elsewhere & ~Q(problem_code="outdated")),
            oldest=Min("created_at", filter=waiting),
        )
    )


def _health(channel: Channel, counts: dict[str, Any], state: ChannelState | None, now: dt.datetime) -> ChannelHealth:
    oldest = counts.get("oldest")
    return ChannelHealth(
        channel=channel,
        is_configured=is_configured(channel),
        waiting=counts.get("waiting", 0),
        late=counts.get("late", 0),
        given_up=counts.get("given_up", 0),
        unreachable=counts.get("unreachable", 0),
        oldest_waiting_seconds=(now - oldest).total_seconds() if oldest else None,
        held_until=state.held_until if state else None,
        last_sent_at=state.last_sent_at if state else None,
        last_failed_at=state.last_failed_at if state else None,
        last_problem=state.last_problem if state else "",
    )
