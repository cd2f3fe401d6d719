"""PagerDuty, Events API v2: one incident for each subject, ended by the portal itself."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from backups.domain.notification import Severity
from backups.services.notification.errors import NotDelivered
from backups.services.notification.letter import Letter
from backups.services.notification.post import post

_ACCEPTED = 202
_MAX_KEY_CHARACTERS = 255
_SEVERITIES = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.NOTICE: "info"}


def send_to_pagerduty(letter: Letter) -> None:
    """Raises NotDelivered."""
    answer = post(
        url=settings.PAGERDUTY_URL,
        body=json.dumps({"routing_key": settings.PAGERDUTY_ROUTING_KEY} | pagerduty_event(letter)).encode(),
        headers={"Content-Type": "application/json", "X-Message-Id": letter.id},
        within_seconds=settings.NOTIFICATION_POST_SECONDS,
    )
    if answer.status != _ACCEPTED:
        raise NotDelivered("unexpected_answer", "It answered, but not as PagerDuty does.", status=answer.status)


def pagerduty_event(letter: Letter) -> dict[str, Any]:
    """The event without the routing key. Ending and acknowledging need nothing but the key of the incident."""
    action = _action(letter)
    event: dict[str, Any] = {"event_action": action, "dedup_key": _dedup_key(letter)}
    if action != "trigger":
        return event
    payload = {
        "summary": f"{letter.heading}. {letter.text}"[:1024],
        "source": _site(),
        "severity": _SEVERITIES[letter.severity],
        "timestamp": letter.written_at.isoformat(timespec="milliseconds"),
        "component": letter.project or "portal",
        "group": letter.kind,
        "class": letter.type,
        "custom_details": {"message_id": letter.id, "reference": letter.reference, "sandbox": letter.is_sandbox},
    }
    links = [{"href": letter.link, "text": f"Open {letter.reference}"}]
    return event | {"payload": payload, "client": "CareCircle Ops", "client_url": settings.SITE_URL, "links": links}


def _action(letter: Letter) -> str:
    if letter.resolves:
        return "resolve"
    return "acknowledge" if letter.acknowledges else "trigger"


def _dedup_key(letter: Letter) -> str:
    """Two portals may share a service, so the site is part of it."""
    key = f"{_site()}/{letter.subject_key}"
    return key if len(key) <= _MAX_KEY_CHARACTERS else hashlib.sha256(key.encode()).hexdigest()


def _site() -> str:
    return urlsplit(settings.SITE_URL).hostname or "localhost"
