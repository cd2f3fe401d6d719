"""Test messages, for whoever sets the portal up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db import transaction

from backups.domain.ledger import Outcome
from backups.domain.people import Actor
from backups.ledger.fields import Detail
from backups.ledger.identifiers import uuid7
from backups.models import Channel
from backups.selectors.clock import database_now
from backups.services.notification.channels import is_configured, send
from backups.services.notification.errors import NotDelivered
from backups.services.notification.events import record_about
from backups.services.notification.letter import Letter


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
    """One test message on each channel that is set up, sent now; each try is an event."""
    return [_try(channel, actor=actor, mail_to=mail_to) for channel in Channel]


def _try(channel: Channel, *, actor: Actor, mail_to: str) -> Trial:
    if not is_configured(channel):
        return Trial(channel, TrialResult.NOT_CONFIGURED, _HOW_TO_SET_UP[channel])
    if channel is Channel.MAIL and not mail_to:
        return Trial(channel, TrialResult.NOT_TRIED, "Say to whom: --to name@example.org.")
    problem = _problem_of_sending(channel, mail_to)
    _record(channel, actor, problem)
    if problem:
        return Trial(channel, TrialResult.FAILED, problem.sentence)
    return Trial(channel, TrialResult.OK, "It was taken. Look whether it arrived.")


def _problem_of_sending(channel: Channel, mail_to: str) -> NotDelivered | None:
    now = database_now()
    letter = Letter(
        id=f"test_{uuid7(now)}",
        topic="test",
        reference="CareCircle Ops",
        text="This is a test message of CareCircle Ops. Nothing has happened and nothing is asked of you.",
        link=settings.SITE_URL,
        written_at=now,
        to=mail_to,
    )
    try:
        send(channel, letter)
    except NotDelivered as problem:
        return problem
    return None


def _record(channel: Channel, actor: Actor, problem: NotDelivered | None) -> None:
    facts: dict[str, Detail] = {"channel": channel.value, "template": "test", "attempts": 1}
    with transaction.atomic():
        if problem is None:
            record_about(None, type="notification.sent", details=facts, actor=actor)
        else:
            failed = facts | {"error": problem.code, "status": problem.status}
            record_about(None, type="notification.failed", details=failed, actor=actor, outcome=Outcome.FAILURE)
