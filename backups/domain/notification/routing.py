"""Where an alert goes: by its severity, and for mail by the role of whoever is concerned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from backups.domain.monitor import Severity
from backups.domain.people import Role


class Channel(StrEnum):
    """How a message travels."""

    MAIL = "mail"
    SLACK = "slack"
    WEBHOOK = "webhook"
    PAGERDUTY = "pagerduty"


#: Channels with one address for the whole team.
TEAM_CHANNELS = (Channel.SLACK, Channel.WEBHOOK, Channel.PAGERDUTY)


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """One cell of the table: alerts of this severity take this channel. `role` is set for mail and for nothing else:

    the mail goes to those of the role whom the alert concerns.
    """

    severity: Severity
    channel: Channel
    role: Role | None = None

    def __post_init__(self) -> None:
        if (self.channel is Channel.MAIL) != (self.role is not None):
            raise ValueError("Mail is routed by role, and nothing else is.")

    @property
    def code(self) -> str:
        """`critical.mail.manager`: its name in forms and events."""
        return ".".join([self.severity.value, self.channel.value, *([self.role.value] if self.role else [])])


def all_routes() -> tuple[Route, ...]:
    """Every cell of the table, in the order of the page."""
    cells: list[Route] = []
    for severity in Severity:
        cells += [Route(severity, channel) for channel in TEAM_CHANNELS]
        cells += [Route(severity, Channel.MAIL, role) for role in Role]
    return tuple(cells)


def _default_routes() -> Iterable[Route]:
    for route in all_routes():
        if route.channel is Channel.PAGERDUTY:
            wanted = route.severity is Severity.CRITICAL
        elif route.channel is Channel.MAIL:
            wanted = route.severity is not Severity.NOTICE
        else:
            wanted = True
        if wanted:
            yield route


#: Critical: everything that is set up. Warnings: Slack, webhook and mail. Notices: Slack and webhook.
DEFAULT_ROUTES: frozenset[Route] = frozenset(_default_routes())


def problem_of_routes(routes: frozenset[Route]) -> str | None:
    """Why the table may not be stored like this; None when it may."""
    if any(route.severity is Severity.CRITICAL for route in routes):
        return None
    return "Critical alerts must go somewhere: tick at least one channel for them."
