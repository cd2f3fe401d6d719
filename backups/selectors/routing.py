"""Where alerts go: the stored table over the defaults, and which channels are set up."""

from __future__ import annotations

from django.conf import settings

from backups.domain.notification import DEFAULT_ROUTES, Channel, Route, Severity
from backups.domain.people import Role
from backups.models import NotificationRoute

_NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"


def is_configured(channel: Channel) -> bool:
    """True when the settings name where this channel leads."""
    match channel:
        case Channel.MAIL:
            return bool(settings.EMAIL_BACKEND != _NO_MAIL)
        case Channel.SLACK:
            return bool(settings.SLACK_WEBHOOK_URL)
        case Channel.WEBHOOK:
            return bool(settings.WEBHOOK_URL)
        case Channel.PAGERDUTY:
            return bool(settings.PAGERDUTY_ROUTING_KEY)


def routes_in_force() -> frozenset[Route]:
    """Every cell that is on."""
    routes = set(DEFAULT_ROUTES)
    for row in NotificationRoute.objects.all():
        route = Route(Severity(row.severity), Channel(row.channel), Role(row.role) if row.role else None)
        (routes.add if row.is_on else routes.discard)(route)
    return frozenset(routes)
