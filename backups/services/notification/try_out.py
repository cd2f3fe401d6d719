"""Test messages, for whoever sets the portal up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum

from django.conf import settings
from django.db import transaction

from backups.domain.ledger import NO_TARGET, Outcome
from backups.domain.people import Actor, ActorKind
from backups.ledger.fields import Detail
from backups.ledger.identifiers import uuid7
from backups.models import Channel
from backups.selectors.clock import database_now
from backups.services.notification.channels import is_configured, send
from backups.services.notification.errors import NotDelivered
from backups.services.notification.events import record_about
from backups.services.notification.letter import Letter
from backups.services.notification.routes import needs_notifications
from backups.services.restore.governed import refusals_recorded


class TrialResult(StrEnum):
    OK = "ok"
    NOT_CONFIGURED = "not_configured"
    NOT_TRIED = "not_tried"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """How one channel did."""

    channel: Channel
    result: TrialResult
    sentence: str


_HOW_TO_SET_UP = {
    Channel.MAIL: "EMAIL_URL is not set.",
    Channel.SLACK: "SLACK_WEBHOOK_URL is not set.",
    Channel.WEBHOOK: "WEBHOOK_URL is not set.",
    Channel.PAGERDUTY: "PAGERDUTY_ROUTING_KEY is not set.",
}


def send_test_messages(*, actor: Actor, mail_to: str = "") -> list[Trial]:
    """One test message on each channel that is set up, sent now and all at once; each try is an event.

    Raises Refused for a person who may not. Returns within the time that the slowest channel is given.
    """
    with refusals_recorded(actor=actor, target=NO_TARGET):
        if actor.kind is not ActorKind.SYSTEM:
            needs_notifications(actor)
    letter = _letter(mail_to)
    tried = [channel for channel in Channel if _why_not(channel, mail_to) is None]
    with ThreadPoolExecutor(max_workers=len(Channel)) as threads:  # nothing in them touches the database
        problems = dict(zip(tried, threads.map(lambda channel: _problem_of(channel, letter), tried), strict=True))
    for channel, problem in problems.items():
        _record(channel, actor, problem)
    return [_why_not(channel, mail_to) or _trial(channel, problems[channel]) for channel in Channel]


def _why_not(channel: Channel, mail_to: str) -> Trial | None:
    if not is_configured(channel):
        return Trial(channel, TrialResult.NOT_CONFIGURED, _HOW_TO_SET_UP[channel])
    if channel is Channel.MAIL and not mail_to:
        return Trial(channel, TrialResult.NOT_TRIED, "Say to whom: --to name@example.org.")
    return None


def _trial(channel: Channel, problem: NotDelivered | None) -> Trial:
    if problem:
        return Trial(channel, TrialResult.FAILED, problem.sentence)
    return Trial(channel, TrialResult.OK, "It was taken. Look whether it arrived.")


def _letter(mail_to: str) -> Letter:
    now = database_now()
    message_id = f"test_{uuid7(now)}"
    return Letter(
        id=message_id,
        topic="test",
        reference="CareCircle Ops",
        text="This is a test message of CareCircle Ops. Nothing has happened and nothing is asked of you.",
        link=settings.SITE_URL,
        written_at=now,
        to=mail_to,
        subject_key=f"system:{message_id}",
    )


def _problem_of(channel: Channel, letter: Letter) -> NotDelivered | None:
    try:
        send(channel, letter)
        if channel is Channel.PAGERDUTY:  # the incident of a test is ended at once
            send(channel, replace(letter, resolves=True))
    except NotDelivered as problem:
        return problem
    except Exception as error:  # its text may hold the channel's address
        return NotDelivered("unexpected", f"Something unexpected happened ({type(error).__name__}).")
    return None


def _record(channel: Channel, actor: Actor, problem: NotDelivered | None) -> None:
    facts: dict[str, Detail] = {"channel": channel.value, "template": "test", "attempts": 1}
    with transaction.atomic():
        if problem is None:
            record_about(None, type="notification.sent", details=facts, actor=actor)
        else:
            failed = facts | {"error": problem.code, "status": problem.status}
            record_about(None, type="notification.failed", details=failed, actor=actor, outcome=Outcome.FAILURE)
