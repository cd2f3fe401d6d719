"""What an auditor would ask about first: things overdue, things waived, and things that must never be."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Count, F, Q

from backups.domain.people import Role
from backups.domain.period import Period
from backups.models import Finding, LedgerEvent, RoleMembership
from backups.models.restore import Vote
from backups.selectors.afterwards import overdue_reviews
from backups.selectors.audit.populations import POPULATIONS
from backups.selectors.drill_log import overdue_actions
from backups.selectors.overview import recoveries

#: A finding that stands longer wants an explanation.
FINDING_DAYS = 7
_MOST = 10


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to look at; `kind` and `pk` tell which page shows it."""

    kind: str
    pk: str
    words: str


@dataclass(frozen=True, slots=True)
class Exceptions:
    """One rule and what breaks it. `looked_at`: how many things were held against it, in words."""

    title: str
    rule: str
    cases: list[Case]
    looked_at: str

    @property
    def shown(self) -> list[Case]:
        return self.cases[:_MOST]


def exceptions(period: Period, now: dt.datetime) -> list[Exceptions]:
    """Real projects only. A fixed number of queries."""
    return [
        _too_few_votes(period),
        _waived(period),
        _late_reviews(now),
        _unproven(now),
        _late_actions(now),
        _two_hats(),
        _old_findings(now),
    ]


def _too_few_votes(period: Period) -> Exceptions:
    """Counted again from the votes, not taken from the state that the portal gave the request."""
    restores = POPULATIONS["production-restores"].within(period)
    counts = Q(votes__choice=Vote.Choice.APPROVE, votes__digest=F("packet__digest"))
    counts &= Q(votes__taken_back_at__isnull=True) | Q(votes__taken_back_at__gt=F("submitted_to_neon_at"))
    counts &= ~Q(votes__voter=F("requester"))
    counted = restores.annotate(approvals=Count("votes__voter", filter=counts, distinct=True))
    wrong = counted.filter(approvals__lt=F("packet__votes_needed"))
    cases = [Case("request", str(each.pk), f"{each.reference}: votes are missing") for each in wrong]
    rule = "Each restore of production has the votes that its policy asked for, none of them by the requester."
    return Exceptions("Restores with too few votes", rule, cases, f"{restores.count()} restores counted again")


def _waived(period: Period) -> Exceptions:
    found = LedgerEvent.objects.filter(
        type="request.seal_waived", recorded_at__gte=period.begins_at, recorded_at__lt=period.ends_before
    ).exclude(world="sandbox")
    cases = [Case("event", str(each.pk), f"{each.actor_name}, {each.target_id}") for each in found.order_by("pk")]
    return Exceptions(
        "Approvals that were not sealed", "No restore goes on before its approvals are sealed.", cases, ""
    )


def _late_reviews(now: dt.datetime) -> Exceptions:
    found = overdue_reviews(now).exclude(checklist__branch__project__is_sandbox=True)
    cases = [Case("review", str(each.checklist_id), f"{each.checklist.reference}") for each in found]
    return Exceptions("Restores without their review", "Each restore is reviewed and signed by its due day.", cases, "")


def _unproven(now: dt.datetime) -> Exceptions:
    branches = [each for each in recoveries(now) if not each.branch.project.is_sandbox]
    cases = [Case("branch", str(each.branch.pk), str(each.branch)) for each in branches if not each.is_proven]
    rule = "A drill or a verified restore that is young enough proves that each branch can be recovered."
    return Exceptions("Recovery not proven", rule, cases, f"{len(branches)} branches in care")


def _late_actions(now: dt.datetime) -> Exceptions:
    found = overdue_actions(now)
    cases = [Case("action", str(each.pk), f"{each.title} ({each.owner_name}, {each.due_on})") for each in found]
    return Exceptions("Corrective actions overdue", "Each is done by its day.", cases, "")


def _two_hats() -> Exceptions:
    """Roles that one person should not hold together, and roles that no program may hold."""
    held = RoleMembership.objects.filter(until__isnull=True)
    both = (
        User.objects.filter(pk__in=held.filter(role=Role.MANAGER).values("user"))
        .filter(Q(pk__in=held.exclude(role=Role.MANAGER).values("user")) | Q(profile__is_service_account=True))
        .order_by("username")
    )
    cases = [Case("account", str(each.pk), each.get_username()) for each in both]
    rule = "Whoever votes holds no other role, and no account of a program holds one that votes."
    return Exceptions("Voters with another role", rule, cases, f"{held.values('user').distinct().count()} people")


def _old_findings(now: dt.datetime) -> Exceptions:
    limit = now - dt.timedelta(days=FINDING_DAYS)
    found = Finding.objects.filter(closed_at__isnull=True, since__lt=limit).exclude(project__is_sandbox=True)
    cases = [Case("finding", str(each.pk), each.sentence) for each in found.order_by("since")]
    return Exceptions("Findings older than a week", f"None stands longer than {FINDING_DAYS} days.", cases, "")
