"""Changing where alerts go."""

from __future__ import annotations

import hashlib

from django.db import connection

from backups.domain.ledger import Target
from backups.domain.notification import Route
from backups.domain.notification.routing import all_routes, problem_of_routes
from backups.domain.people import Actor, Capability
from backups.models import NotificationRoute
from backups.selectors.routing import routes_in_force
from backups.services.ledger import record_event
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import refusals_recorded, with_roles_of_now

_TARGET = Target(kind="portal", id="notification_routes")


def set_routes(*, actor: Actor, routes: frozenset[Route], seen: str) -> list[Route]:
    """Stores the whole table and returns the cells that changed.

    `seen` is the digest of the table that the person looked at. Raises Refused without the capability and when
    somebody changed the table in the meantime, InvalidInput for a table that would tell nobody of what is critical.
    """
    with refusals_recorded(actor=actor, target=_TARGET):
        needs_notifications(actor)
        _lock_table()
        before = routes_in_force()
        if seen != digest_of(before):
            raise Refused(
                action=None,
                code="table_changed",
                sentence="Somebody changed this table while you were reading. Nothing was stored; look at it again.",
            )
        problem = problem_of_routes(routes)
        if problem is not None:
            raise InvalidInput({"routes": f"{problem} Nothing was stored."})
        changed = sorted(before ^ routes)
        for route in changed:
            _store(route, is_on=route in routes)
        if changed:
            _record(actor, changed, routes)
        return changed


def digest_of(routes: frozenset[Route]) -> str:
    """Names one state of the table."""
    return hashlib.sha256(" ".join(sorted(route.code for route in routes)).encode()).hexdigest()


def routes_named(codes: set[str]) -> frozenset[Route]:
    """The cells with these names; other names are of no table and are left out."""
    return frozenset(route for route in all_routes() if route.code in codes)


def needs_notifications(actor: Actor) -> None:
    """Raises Refused unless the person holds the right at this moment."""
    if not with_roles_of_now(actor).may(Capability.MANAGE_NOTIFICATIONS):
        raise Refused(
            action=None, code="not_allowed", sentence="Only an administrator can change or try out how people are told."
        )


def _lock_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('notification_routes', 8021))")


def _store(route: Route, *, is_on: bool) -> None:
    NotificationRoute.objects.update_or_create(
        severity=route.severity.value,
        channel=route.channel.value,
        role=route.role.value if route.role else "",
        defaults={"is_on": is_on},
    )


def _record(actor: Actor, changed: list[Route], routes: frozenset[Route]) -> None:
    record_event(
        type="notification.changed",
        actor=actor,
        target=_TARGET,
        details={
            "switched_on": [route.code for route in changed if route in routes],
            "switched_off": [route.code for route in changed if route not in routes],
        },
    )
