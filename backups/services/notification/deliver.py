"""Delivers what waits in the outbox.

A row is claimed for a while by one conditional UPDATE, sent outside any transaction, and settled in another. A process
that dies in between leaves its row to the next, so a message can arrive twice, with the same id; it is never lost.
Each channel is a duty with a thread of its own: a dead one delays no request and no other channel.

Messages of one subject keep their order on a channel: one is claimed only when no earlier one can still be delivered.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from backups.models import Channel, OutboxMessage
from backups.services.notification.channels import send
from backups.services.notification.errors import NotDelivered
from backups.services.notification.letter import letter_of
from backups.services.notification.settle import settle
from backups.services.notification.tell import asks_in_vain

_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM backups_outboxmessage AS candidate
    WHERE channel = %s
      AND next_attempt_at <= statement_timestamp()
      AND (lease_until IS NULL OR lease_until <= statement_timestamp())
      AND NOT EXISTS (
          SELECT FROM backups_channelstate AS state
          WHERE state.channel = candidate.channel AND state.held_until > statement_timestamp()
      )
      AND NOT EXISTS (
          SELECT FROM backups_outboxmessage AS earlier
          WHERE earlier.subject_key = candidate.subject_key
            AND earlier.channel = candidate.channel
            AND earlier.person_id IS NOT DISTINCT FROM candidate.person_id
            AND earlier.id < candidate.id
            AND earlier.next_attempt_at IS NOT NULL
      )
    ORDER BY next_attempt_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE backups_outboxmessage AS message
SET attempts = message.attempts + 1,
    lease_until = statement_timestamp() + %s * interval '1 second'
FROM due
WHERE message.id = due.id
RETURNING message.id, message.attempts
"""


@dataclass(frozen=True, slots=True)
class _Claim:
    """`attempt` is the fence: whoever claims the row later holds a higher one."""

    message_id: int
    attempt: int


def deliver_mail() -> int:
    """A duty of the worker."""
    return deliver_due_messages(channel=Channel.MAIL)


def deliver_slack() -> int:
    """A duty of the worker."""
    return deliver_due_messages(channel=Channel.SLACK)


def deliver_webhook() -> int:
    """A duty of the worker."""
    return deliver_due_messages(channel=Channel.WEBHOOK)


def deliver_pagerduty() -> int:
    """A duty of the worker."""
    return deliver_due_messages(channel=Channel.PAGERDUTY)


def deliver_due_messages(*, channel: Channel) -> int:
    """Handles what is due on one channel, for a bounded time; returns how many messages were tried.

    Harmless to run at any time and in any number of processes.
    """
    ends_at = time.monotonic() + settings.NOTIFICATION_ROUND_SECONDS
    tried = 0
    while time.monotonic() < ends_at and (claim := _claim(channel)):
        _deliver(claim)
        tried += 1
    return tried


def _claim(channel: Channel) -> _Claim | None:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [channel.value, settings.NOTIFICATION_LEASE_SECONDS])
        row = cursor.fetchone()
    return _Claim(*row) if row else None


def _deliver(claim: _Claim) -> None:
    message = OutboxMessage.objects.select_related("request", "person").get(pk=claim.message_id)
    started = time.monotonic()
    problem = _problem_of_sending(message, claim)
    took_milliseconds = int((time.monotonic() - started) * 1000)
    with transaction.atomic():
        settle(claim.message_id, attempt=claim.attempt, problem=problem, took_milliseconds=took_milliseconds)


def _problem_of_sending(message: OutboxMessage, claim: _Claim) -> NotDelivered | None:
    if claim.attempt > settings.NOTIFICATION_ATTEMPTS:
        return NotDelivered("abandoned", "Each process that tried to send it ended before it could say how it went.")
    if message.request is not None and asks_in_vain(message.topic, message.request):
        return NotDelivered("outdated", "It was no longer needed when its turn came.")
    try:
        send(Channel(message.channel), letter_of(message))
    except NotDelivered as problem:
        return problem
    except Exception as error:
        # Without its text and traceback, which can hold the channel's address.
        return NotDelivered("unexpected", f"Something unexpected happened ({type(error).__name__}).")
    return None
