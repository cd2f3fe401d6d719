"""The case file of one change of access: the role, how long it was held, and what was decided with it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q

from backups.models import LedgerEvent, RoleMembership, Vote
from backups.selectors.audit.populations import ACCESS_TYPES
from backups.selectors.case_file.events import CaseEvent, events_about

#: Event and trigger write within one transaction.
_NEAR = dt.timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class AccessCase:
    """One change. `person` None: no account of that id. `memberships`: the role of the change, as the trigger wrote it.

    `votes`: those of the person while one of the memberships lasted.
    """

    event: LedgerEvent
    person: User | None
    role: str
    memberships: list[RoleMembership]
    votes: list[Vote]
    events: list[CaseEvent]


def access_case(event_id: UUID) -> AccessCase | None:
    """None for an event of another kind. Five queries at most."""
    event = LedgerEvent.objects.filter(pk=event_id, type__in=ACCESS_TYPES).first()
    if event is None:
        return None
    number = event.target_id.removeprefix("user:")
    person = User.objects.filter(pk=int(number)).first() if number.isdecimal() else None
    role = str(event.members.get("data", {}).get("role", ""))
    memberships = _memberships(event, person, role) if person else []
    return AccessCase(
        event=event,
        person=person,
        role=role,
        memberships=memberships,
        votes=_votes(person, memberships) if person else [],
        events=events_about(Q(target_kind=event.target_kind, target_id=event.target_id)),
    )


def _memberships(event: LedgerEvent, person: User, role: str) -> list[RoleMembership]:
    """The role that was given or taken away; with no role in the event, those that were held then.

    One person may get, lose and get a role within seconds: the nearest is meant.
    """
    at = event.recorded_at
    held = person.role_memberships.order_by("since", "pk")
    if not role:
        return list(held.filter(Q(until__isnull=True) | Q(until__gt=at), since__lte=at))
    edge = "until" if event.type == "access.role_revoked" else "since"
    near = held.filter(role=role, **{f"{edge}__range": (at - _NEAR, at + _NEAR)})
    return sorted(near, key=lambda each: abs(getattr(each, edge) - at))[:1]


def _votes(person: User, memberships: list[RoleMembership]) -> list[Vote]:
    during = Q(pk__in=[])
    for each in memberships:
        lasted = Q(cast_at__gte=each.since)
        during |= lasted & Q(cast_at__lte=each.until) if each.until else lasted
    return list(Vote.objects.filter(during, voter=person).select_related("request").order_by("cast_at", "pk"))
