"""Who could approve on this date, and which policy was in force."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse

from backups.admin.access import for_people_who_may
from backups.admin.audit.links import page_of
from backups.admin.audit.tabs import audit_tabs
from backups.admin.frame import render
from backups.domain.people import Actor, Capability
from backups.domain.policy import Environment, Policy, votes_needed
from backups.domain.restore import RestoreKind
from backups.selectors.audit.approvers import Holder, approvers_on
from backups.selectors.clock import database_now
from backups.services.reading import record_reading

_KIND_WORDS = {
    RestoreKind.IN_PLACE: "Restore in place",
    RestoreKind.NEW_BRANCH: "Restore to a new branch",
    RestoreKind.SNAPSHOT: "Restore from a snapshot",
}


@dataclass(frozen=True, slots=True)
class ShownHolder:
    """One person; `gift_url` is empty when no event tells of the gift."""

    holder: Holder
    account_url: str
    gift_url: str


@for_people_who_may(Capability.READ_LEDGER)
def approvers(request: HttpRequest, actor: Actor) -> HttpResponse:
    """`on`: a day (its end is meant) or a moment, UTC. Now without it."""
    record_reading(actor=actor, page="approvers")
    now = database_now()
    written = request.GET.get("on", "").strip()
    at, error = _moment(written, now)
    found = approvers_on(at)
    context = {
        "tabs": audit_tabs(actor, "approvers"),
        "found": found,
        "holders": [_shown(holder) for holder in found.holders],
        "on": written or f"{now:%Y-%m-%dT%H:%M}",
        "error": error,
        "rules": _rules(found.policy),
        "is_before_history": found.history_from is None or at < found.history_from,
    }
    return render(request, "audit/approvers.html", context, status=422 if error else 200)


def _moment(written: str, now: dt.datetime) -> tuple[dt.datetime, str]:
    if not written:
        return now, ""
    try:
        at = dt.datetime.fromisoformat(written)
    except ValueError:
        return now, "Write a day as 2026-07-01 or a moment as 2026-07-01T14:30 (UTC). What is shown is so now."
    at = at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    is_day = len(written) == len("2026-07-01")
    at = at + dt.timedelta(days=1, microseconds=-1) if is_day and at.year < 9999 else at
    if at > now and not (is_day and at.date() == now.date()):
        return now, "That moment has not come yet. What is shown is so now."
    return min(at, now), ""


def _shown(holder: Holder) -> ShownHolder:
    gift = page_of("event", str(holder.given_with)) if holder.given_with else ""
    return ShownHolder(holder, page_of("account", str(holder.user_id)), gift)


def _rules(policy: Policy) -> list[tuple[str, list[int]]]:
    """Votes by kind of restore, for each environment in the order of `Environment`."""
    return [
        (words, [votes_needed(policy, kind=kind, environment=each) for each in Environment])
        for kind, words in _KIND_WORDS.items()
    ]
