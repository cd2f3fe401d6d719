"""Who could approve at a moment of the past, and what the policy asked for then."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Min, Q

from backups.domain.people import Capability, roles_with
from backups.domain.policy import DEFAULT_POLICY, Policy
from backups.models import LedgerEvent, PolicyVersion, RoleMembership

_ACCOUNT_TYPES = ("access.account_created", "access.account_changed")


@dataclass(frozen=True, slots=True)
class Holder:
    """One person who held a role that votes.

    `could_vote` None: the record does not tell. `why` says what stood against it.
    `given_by` is empty when the role was given outside the portal's pages; `given_with`: the event of the gift.
    """

    user_id: int
    login: str
    role: str
    since: dt.datetime
    until: dt.datetime | None
    given_by: str
    given_with: UUID | None
    could_vote: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Approvers:
    """`history_from`: the first account event; before it, what is said of accounts is not known."""

    at: dt.datetime
    holders: list[Holder]
    policy: Policy
    policy_since: dt.datetime | None
    policy_by: str
    history_from: dt.datetime | None

    @property
    def able(self) -> list[Holder]:
        return [holder for holder in self.holders if holder.could_vote]


def approvers_on(at: dt.datetime) -> Approvers:
    """From the dates that a trigger wrote with each role, and from events. Five queries, whatever the number."""
    roles = [role.value for role in roles_with(Capability.VOTE_ON_RESTORE)]
    held = RoleMembership.objects.filter(Q(until__isnull=True) | Q(until__gt=at), role__in=roles, since__lte=at)
    rows = list(held.select_related("user").order_by("user__username", "role"))
    refs = [_ref(row) for row in rows]
    gifts = _newest("access.role_granted", refs, at + dt.timedelta(seconds=2))
    accounts = _account_states(refs, at)
    policy, since, by = _policy_on(at)
    first = LedgerEvent.objects.filter(type__in=_ACCOUNT_TYPES).aggregate(at=Min("recorded_at"))["at"]
    holders = [_holder(row, gifts.get(_ref(row), []), accounts.get(_ref(row))) for row in rows]
    return Approvers(at, holders, policy, since, by, first)


def _holder(row: RoleMembership, gifts: list[LedgerEvent], account: dict[str, object] | None) -> Holder:
    gift = next((event for event in gifts if _is_gift_of(event, row)), None)
    could, why = _judged(account)
    user: User = row.user
    return Holder(
        user_id=user.pk,
        login=user.get_username(),
        role=row.role,
        since=row.since,
        until=row.until,
        given_by=gift.actor_name if gift else row.database_user,
        given_with=gift.pk if gift else None,
        could_vote=could,
        why=why,
    )


def _ref(row: RoleMembership) -> str:
    """The account's id in events."""
    return f"user:{row.user_id}"


def _is_gift_of(event: LedgerEvent, row: RoleMembership) -> bool:
    """The gift is written in the transaction that gave the role, some milliseconds beside the trigger's time."""
    data = event.members.get("data", {})
    return bool(data.get("role") == row.role) and abs(event.recorded_at - row.since) < dt.timedelta(seconds=5)


def _judged(account: dict[str, object] | None) -> tuple[bool | None, str]:
    if account is None or "active" not in account:
        return None, "No event says whether the account was switched on then."
    if not account["active"]:
        return False, "The account was switched off."
    if account.get("service_account"):
        return False, "An account of a program never votes."
    return True, ""


def _newest(type_: str, account_ids: list[str], until: dt.datetime) -> dict[str, list[LedgerEvent]]:
    found: dict[str, list[LedgerEvent]] = {}
    events = LedgerEvent.objects.filter(
        type=type_, target_kind="account", target_id__in=account_ids, recorded_at__lte=until
    )
    for event in events.order_by("-recorded_at", "-id"):
        found.setdefault(event.target_id, []).append(event)
    return found


def _account_states(account_ids: list[str], at: dt.datetime) -> dict[str, dict[str, object]]:
    """What the last event of each account up to then says of it; members that an event leaves out are older."""
    states: dict[str, dict[str, object]] = {}
    events = LedgerEvent.objects.filter(
        type__in=_ACCOUNT_TYPES, target_kind="account", target_id__in=account_ids, recorded_at__lte=at
    )
    for event in events.order_by("recorded_at", "id"):
        data = event.members.get("data", {})
        states.setdefault(event.target_id, {}).update({name: data[name] for name in _STATES if name in data})
    return states


_STATES = ("active", "service_account")


def _policy_on(at: dt.datetime) -> tuple[Policy, dt.datetime | None, str]:
    version = PolicyVersion.objects.filter(created_at__lte=at).order_by("-number").first()
    if version is None:
        return DEFAULT_POLICY, None, ""
    return Policy.from_json(version.body | {"version": version.number}), version.created_at, version.created_by_name
