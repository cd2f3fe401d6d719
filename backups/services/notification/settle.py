"""Notes what came of an attempt to deliver: in the row, in the state of its channel, and in the ledger."""

from __future__ import annotations

import datetime as dt
import logging
import random
from typing import Any

from django.conf import settings

from backups.domain.ledger import Outcome
from backups.domain.notification import Subject, SubjectKind
from backups.ledger.fields import Detail
from backups.models import ChannelState, OutboxMessage
from backups.selectors.clock import database_now
from backups.selectors.notification import NOT_THE_CHANNELS_FAULT
from backups.services.notification.errors import NotDelivered
from backups.services.notification.events import record_about

logger = logging.getLogger(__name__)

# A receiver may ask for a pause, but not for a day.
_LONGEST_HOLD_SECONDS = 3600.0


def settle(message_id: int, *, attempt: int, problem: NotDelivered | None, took_milliseconds: int) -> None:
    """Notes what came of one attempt, in the open transaction. A failure that a later attempt overtook is dropped."""
    message = (
        OutboxMessage.objects.select_for_update(of=("self",))
        .select_related("request__branch__project")
        .get(pk=message_id)
    )
    if message.next_attempt_at is None:
        return  # another process has settled it in the meantime
    if problem is None:
        _note_sent(message, took_milliseconds)
    elif message.attempts == attempt:
        _note_failed(message, problem)


def _note_sent(message: OutboxMessage, took_milliseconds: int) -> None:
    message.sent_at = database_now()
    message.next_attempt_at = message.lease_until = None
    message.last_problem = message.problem_code = ""
    message.save()
    _note_channel(message, last_sent_at=message.sent_at, last_problem="")
    _record(message, "notification.sent", Outcome.SUCCESS, {"duration_ms": took_milliseconds})


def _note_failed(message: OutboxMessage, problem: NotDelivered) -> None:
    now = database_now()
    gives_up = problem.code == "outdated" or message.attempts >= settings.NOTIFICATION_ATTEMPTS
    message.lease_until = None
    message.last_problem, message.problem_code = problem.sentence[:200], problem.code[:40]
    message.given_up_at = now if gives_up else None
    message.next_attempt_at = None if gives_up else now + _pause(message.attempts, problem.wait_seconds)
    message.save()
    if problem.code not in NOT_THE_CHANNELS_FAULT:
        _note_channel(message, last_failed_at=now, last_problem=message.last_problem, **_hold(problem, now))
    details: dict[str, Detail] = {"error": problem.code, "status": problem.status}
    _record(message, "notification.failed", Outcome.FAILURE, details, "gave_up" if gives_up else "tried_again_later")
    _log(message, problem, gives_up)


def _hold(problem: NotDelivered, now: dt.datetime) -> dict[str, dt.datetime]:
    """Who asks for a pause means the whole channel, not this one message."""
    if problem.wait_seconds is None:
        return {}
    return {"held_until": now + dt.timedelta(seconds=min(problem.wait_seconds, _LONGEST_HOLD_SECONDS))}


def _note_channel(message: OutboxMessage, **facts: Any) -> None:
    ChannelState.objects.update_or_create(channel=message.channel, defaults=facts)


def _log(message: OutboxMessage, problem: NotDelivered, gives_up: bool) -> None:
    if gives_up and problem.code != "outdated":
        logger.error(
            "Message %s (%s) was NOT delivered by %s after %s attempts; nobody tries again. %s",
            message.pk, message.topic, message.channel, message.attempts, problem.sentence,
        )  # fmt: skip
    else:
        logger.warning("Message %s by %s: %s", message.pk, message.channel, problem.sentence)


def _pause(attempt: int, asked_seconds: float | None) -> dt.timedelta:
    """Doubles with each attempt up to the longest; the upper half is random, so that many messages spread."""
    longest = settings.NOTIFICATION_RETRY_LONGEST_SECONDS
    ceiling = min(settings.NOTIFICATION_RETRY_SECONDS * 2 ** (attempt - 1), longest)
    seconds = ceiling * random.uniform(0.5, 1.0)  # noqa: S311
    return dt.timedelta(seconds=max(seconds, min(asked_seconds or 0, _LONGEST_HOLD_SECONDS)))


def _record(
    message: OutboxMessage, type: str, outcome: Outcome, facts: dict[str, Detail], reason_code: str = ""
) -> None:
    details: dict[str, Detail] = {
        "channel": message.channel,
        "template": message.topic,
        "recipient": f"user:{message.person_id}" if message.person_id else None,
        "attempts": message.attempts,
    }
    record_about(
        _subject_of(message),
        message.request,
        type=type,
        outcome=outcome,
        details=details | facts,
        reason_code=reason_code,
    )


def _subject_of(message: OutboxMessage) -> Subject:
    return Subject(
        kind=SubjectKind(message.subject_kind),
        reference=message.subject_reference,
        project=message.project_ref,
        is_sandbox=message.is_sandbox,
    )
