"""How a message goes out on each channel."""

from __future__ import annotations

import datetime as dt
import json
import time
from dataclasses import dataclass

from django.conf import settings

from backups.models import Channel
from backups.services.notification.errors import NotDelivered
from backups.services.notification.mail import mail_is_configured, send_mail
from backups.services.notification.post import post
from backups.services.notification.signature import signature_headers

_FOOTER = "This link only opens the page: nobody can vote by following a link or by answering a message."


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent. `id` stays the same when it is sent again, so that a receiver can drop the second."""

    id: str
    topic: str
    reference: str
    text: str
    link: str
    written_at: dt.datetime
    to: str = ""


def is_configured(channel: Channel) -> bool:
    """True when the settings name where this channel leads."""
    match channel:
        case Channel.MAIL:
            return mail_is_configured()
        case Channel.SLACK:
            return bool(settings.SLACK_WEBHOOK_URL)
        case Channel.WEBHOOK:
            return bool(settings.WEBHOOK_URL)


def send(channel: Channel, letter: Letter) -> None:
    """Hands the letter over, outside any transaction and within a fixed time. Raises NotDelivered."""
    if not is_configured(channel):
        raise NotDelivered("not_configured", "This channel is not set up.")
    match channel:
        case Channel.MAIL:
            _send_mail(letter)
        case Channel.SLACK:
            _send_to_slack(letter)
        case Channel.WEBHOOK:
            _send_to_webhook(letter)


def _send_mail(letter: Letter) -> None:
    if not letter.to:
        raise NotDelivered("no_address", "The account has no e-mail address.")
    send_mail(
        to=letter.to,
        subject=f"{letter.reference}: {letter.topic.replace('_', ' ')}",
        body=f"{letter.text}\n\n{letter.link}\n\n{_FOOTER}\n",
        message_id=letter.id,
        within_seconds=settings.NOTIFICATION_MAIL_SECONDS,
    )


def _send_to_slack(letter: Letter) -> None:
    text = f"{_slack_escaped(letter.text)} <{letter.link}|Open {letter.reference}>"
    answer = post(
        url=settings.SLACK_WEBHOOK_URL,
        body=json.dumps({"text": text, "unfurl_links": False}).encode(),
        headers={"Content-Type": "application/json"},
        within_seconds=settings.NOTIFICATION_POST_SECONDS,
    )
    if answer.body.strip() != b"ok":  # a log-in page of a proxy answers 200 as well
        raise NotDelivered("unexpected_answer", "It answered, but not as Slack does.", status=answer.status)


def _slack_escaped(text: str) -> str:
    """So that a name such as <!channel> rings nobody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _send_to_webhook(letter: Letter) -> None:
    body = json.dumps(
        {
            "type": f"restore.{letter.topic}",
            "timestamp": letter.written_at.astimezone(dt.UTC).isoformat(timespec="milliseconds"),
            "data": {"request": letter.reference, "text": letter.text, "link": letter.link},
        }
    ).encode()
    post(
        url=settings.WEBHOOK_URL,
        body=body,
        headers={"Content-Type": "application/json", **_signed(letter.id, body)},
        within_seconds=settings.NOTIFICATION_POST_SECONDS,
    )


def _signed(message_id: str, body: bytes) -> dict[str, str]:
    if not settings.WEBHOOK_SECRET:
        raise NotDelivered("no_secret", "WEBHOOK_SECRET is not set; nothing was sent.")
    try:
        return signature_headers(
            secret=settings.WEBHOOK_SECRET, message_id=message_id, timestamp_seconds=int(time.time()), body=body
        )
    except ValueError:
        raise NotDelivered(
            "bad_secret", "What follows whsec_ in WEBHOOK_SECRET is not base64; nothing was sent."
        ) from None
