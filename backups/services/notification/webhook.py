"""The signed webhook."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import Any

from django.conf import settings

from backups.services.notification.errors import NotDelivered
from backups.services.notification.letter import Letter
from backups.services.notification.post import post
from backups.services.notification.signature import signature_headers


def send_to_webhook(letter: Letter) -> None:
    """Raises NotDelivered."""
    body = json.dumps(webhook_message(letter)).encode()
    post(
        url=settings.WEBHOOK_URL,
        body=body,
        headers={"Content-Type": "application/json", **_signed(letter.id, body)},
        within_seconds=settings.NOTIFICATION_POST_SECONDS,
    )


def webhook_message(letter: Letter) -> dict[str, Any]:
    """What is posted. `request` is there only for messages about a restore request."""
    data: dict[str, Any] = {"request": letter.reference} if letter.is_request else {}
    data |= {
        "subject": {"kind": letter.kind, "reference": letter.reference, "key": letter.subject_key},
        "severity": letter.severity.value,
        "resolves": letter.resolves,
        "sandbox": letter.is_sandbox,
        "text": letter.text,
        "link": letter.link,
    }
    written = letter.written_at.astimezone(dt.UTC).isoformat(timespec="milliseconds")
    return {"type": letter.type, "timestamp": written, "data": data}


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
