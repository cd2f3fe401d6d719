"""How a message goes out on each channel."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings

from backups.domain.notification import Severity
from backups.models import Channel
from backups.selectors.routing import is_configured
from backups.services.notification.errors import NotDelivered
from backups.services.notification.letter import Letter
from backups.services.notification.mail import send_mail
from backups.services.notification.pagerduty import send_to_pagerduty
from backups.services.notification.slack import send_to_slack
from backups.services.notification.webhook import send_to_webhook

__all__ = ["Letter", "is_configured", "send"]

_FOOTER = "This link only opens the page: nobody can vote by following a link or by answering a message."


def send(channel: Channel, letter: Letter) -> None:
    """Hands the letter over, outside any transaction and within a fixed time. Raises NotDelivered."""
    if not is_configured(channel):
        raise NotDelivered("not_configured", "This channel is not set up.")
    _SENDERS[channel](letter)


def _send_mail(letter: Letter) -> None:
    if not letter.to:
        raise NotDelivered("no_address", "The account has no e-mail address.")
    send_mail(
        to=letter.to,
        subject=letter.heading,
        body=f"{letter.text}\n\n{letter.link}\n\n{_world(letter)}{_FOOTER}\n",
        message_id=letter.id,
        thread=letter.subject_key,
        is_urgent=letter.severity is Severity.CRITICAL and not letter.resolves,
        within_seconds=settings.NOTIFICATION_MAIL_SECONDS,
    )


def _world(letter: Letter) -> str:
    return "This is about a sandbox: nothing real is touched.\n" if letter.is_sandbox else ""


_SENDERS: dict[Channel, Callable[[Letter], None]] = {
    Channel.MAIL: _send_mail,
    Channel.SLACK: send_to_slack,
    Channel.WEBHOOK: send_to_webhook,
    Channel.PAGERDUTY: send_to_pagerduty,
}
