"""Who was told of a request, and how that went."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import QuerySet

from backups.domain.notification import Topic
from backups.models import Channel, OutboxMessage, RestoreRequest


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
