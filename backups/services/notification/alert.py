"""Telling people of anything but a restore request: drills, findings, safety copies, reviews."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from backups.domain.notification import Channel, Route, Severity, Subject, Topic, one_line
from backups.domain.people import Role
from backups.models import RoleMembership
from backups.selectors.clock import database_now
from backups.selectors.routing import routes_in_force
from backups.services.ledger import NotInTransaction
from backups.services.notification.damp import damped
from backups.services.notification.outbox import Notice, lock_subject, people_told, put_into_outbox


def alert(
    *,
    topic: Topic,
    subject: Subject,
    severity: Severity,
    text: str,
    link_path: str,
    people: Iterable[User] = (),
    roles: Iterable[Role] = (),
    occasion: str,
    resolves: bool = False,
) -> int:
    """Queues messages in the open transaction and returns how many can travel; delivery is the worker's.

    `people` always get a mail; holders of `roles` get one where the routing table sends mail of this severity to
    their role; the team's channels follow from the severity. `text` holds no PHI and nothing that was written freely;
    it is cut to 200 characters. `link_path` begins with a slash. `occasion` makes it once-only: the same subject,
    topic and occasion again tells nobody. `resolves`: the trouble is over; whoever was told of it is told this too.
    Raises NotInTransaction, and ValueError for a link that leads elsewhere.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction(f"Nobody was told of {topic.value}: open the transaction of the change first.")
    if not link_path.startswith("/") or link_path.startswith("//"):
        raise ValueError("The link of an alert is a path of the portal.")
    now = database_now()
    lock_subject(subject)
    notice = Notice(
        topic=topic,
        subject=subject,
        severity=severity,
        text=one_line(text),
        link=f"{settings.SITE_URL.rstrip('/')}{link_path}",
        occasion=occasion,
        resolves=resolves,
    )
    people, roles = list(people), list(roles)
    if damped(notice, link_path=link_path, people=people, roles=roles, now=now):
        return 0
    return put_into_outbox(notice, people=recipients(notice, people, roles), now=now)


def recipients(notice: Notice, people: Iterable[User], roles: Iterable[Role]) -> QuerySet[User]:
    """Who gets a mail of the notice: nobody whose account is switched off, and no program."""
    named = {person.pk for person in people}
    if notice.resolves:
        named |= people_told(notice.subject)
    routes = routes_in_force()
    by_mail = [role.value for role in roles if Route(notice.severity, Channel.MAIL, role) in routes]
    held = RoleMembership.objects.filter(user=OuterRef("pk"), role__in=by_mail, until__isnull=True)
    wanted = User.objects.filter(Q(pk__in=named) | Exists(held), is_active=True)
    return wanted.exclude(profile__is_service_account=True).order_by("pk")
