"""Slack: blocks with a link, and never a vote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from backups.domain.notification import one_line
from backups.services.notification.errors import NotDelivered
from backups.services.notification.letter import Letter
from backups.services.notification.post import post

_MAX_HEADER_CHARACTERS = 150
_FOOTER = "The button only opens the page. Nobody can vote from here."


def send_to_slack(letter: Letter) -> None:
    """Raises NotDelivered."""
    post_to_slack(slack_message(letter), message_id=letter.id)


def post_to_slack(message: Mapping[str, Any], *, message_id: str) -> None:
    """To the webhook of this process's settings. Raises NotDelivered."""
    answer = post(
        url=settings.SLACK_WEBHOOK_URL,
        body=json.dumps(message).encode(),
        headers={"Content-Type": "application/json", "X-Message-Id": message_id},
        within_seconds=settings.NOTIFICATION_POST_SECONDS,
    )
    if answer.body.strip() != b"ok":  # a log-in page of a proxy answers 200 as well
        raise NotDelivered("unexpected_answer", "It answered, but not as Slack does.", status=answer.status)


def slack_message(letter: Letter) -> dict[str, Any]:
    """The message as Block Kit, with the plain sentence for notifications and screen readers."""
    plain = f"{escaped(letter.text)} <{letter.link}|Open {letter.reference}>"
    return {
        "text": plain,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [
            {"type": "header", "text": _plain(letter.heading[0].upper() + letter.heading[1:], _MAX_HEADER_CHARACTERS)},
            {"type": "section", "text": _mrkdwn(escaped(letter.text)), "fields": _fields(letter)},
            {"type": "actions", "elements": [_link_button(letter)]},
            {"type": "context", "elements": [_mrkdwn(f"{_written(letter)} · {letter.id} · {_FOOTER}")]},
        ],
    }


def _fields(letter: Letter) -> list[dict[str, Any]]:
    facts = {
        "About": f"{letter.kind.replace('_', ' ')} {letter.reference}",
        "Severity": "resolved" if letter.resolves else letter.severity.value,
        "Project": letter.project,
        "World": "sandbox, not real" if letter.is_sandbox else "",
    }
    return [_mrkdwn(f"*{name}*\n{escaped(value)}") for name, value in facts.items() if value]


def _link_button(letter: Letter) -> dict[str, Any]:
    label = _plain(f"Open {letter.reference}", 75)
    return {"type": "button", "text": label, "url": letter.link, "action_id": "open_page"}


def _written(letter: Letter) -> str:
    return f"{letter.written_at:%Y-%m-%d %H:%M:%S} UTC"


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": one_line(text, limit), "emoji": False}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def escaped(text: str) -> str:
    """So that a name such as <!channel> rings nobody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
