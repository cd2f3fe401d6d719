"""Whole populations of a period, so that an auditor draws the sample and not we."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncWeek

from backups.domain.drill import DrillOutcome
from backups.domain.monitor import KINDS
from backups.domain.period import Period
from backups.domain.policy import Environment
from backups.domain.restore import RequestState
from backups.models import Drill, Finding, LedgerEvent, LogReview, RestoreRequest

PAGE_SIZE = 50

#: Types of event that change who may do what.
ACCESS_TYPES = (
    "access.role_granted",
    "access.role_revoked",
    "access.account_created",
    "access.account_changed",
    "access.password_changed",
)
_CLOSED_UNCHANGED = (RequestState.REJECTED, RequestState.WITHDRAWN, RequestState.EXPIRED)
# As it counted when it was voted on, whatever the branch is called today.
PRODUCTION = Q(packet__bound__environment=Environment.PRODUCTION.value)


@dataclass(frozen=True, slots=True)
class Item:
    """One member of a population. `id` is what a sample hashes; `kind` tells which page shows it."""

    id: str
    kind: str
    at: dt.datetime
    what: str
    who: str
    where: str
    result: str
    is_sandbox: bool


Rows: TypeAlias = "QuerySet[Any]"


@dataclass(frozen=True, slots=True)
class Population:
    """Things of one kind. `at`: the column whose time puts one into a period; `sandbox`: which ones are no evidence."""

    slug: str
    title: str
    meaning: str
    rows: Callable[[], Rows]
    at: str
    sandbox: Q
    item: Callable[[Any], Item]

    def within(self, period: Period, *, with_sandbox: bool = False) -> Rows:
        """The members of the period, without an order."""
        inside = Q((f"{self.at}__gte", period.begins_at), (f"{self.at}__lt", period.ends_before))
        found = self.rows().filter(inside)
        return found if with_sandbox else found.exclude(self.sandbox)

    def excluded(self, period: Period) -> int:
        """How many members of the period are sandbox records."""
        return self.within(period, with_sandbox=True).filter(self.sandbox).count()


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a population, newest first; `after` is the key that the next page begins after, empty at the end."""

    items: list[Item]
    after: str


def page_of(population: Population, period: Period, *, with_sandbox: bool, after: str = "") -> Page:
    """One query. Raises ValueError for a key that no page gave."""
    found = population.within(period, with_sandbox=with_sandbox)
    if after:
        at, key = _read_key(population, after)
        earlier = Q((f"{population.at}__lt", at)) | Q((population.at, at), ("pk__lt", key))
        found = found.filter(earlier)
    rows = list(found.order_by(f"-{population.at}", "-pk")[: PAGE_SIZE + 1])
    items = [population.item(row) for row in rows[:PAGE_SIZE]]
    last = rows[PAGE_SIZE - 1] if len(rows) > PAGE_SIZE else None
    return Page(items, f"{getattr(last, population.at).isoformat()}~{last.pk}" if last is not None else "")


def members_of(population: Population, period: Period, *, with_sandbox: bool) -> Iterator[Item]:
    """All of them, oldest first. One query, streamed."""
    rows = population.within(period, with_sandbox=with_sandbox).order_by(population.at, "pk")
    return (population.item(row) for row in rows.iterator(chunk_size=2000))


def _read_key(population: Population, after: str) -> tuple[dt.datetime, object]:
    moment, _, key = after.partition("~")
    at = dt.datetime.fromisoformat(moment)
    if at.tzinfo is None:
        raise ValueError("The key has no zone.")
    try:
        return at, population.rows().model._meta.pk.to_python(key)
    except ValidationError:
        raise ValueError("The key names nothing.") from None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many members a period has, week by week (the Monday's date), and how many more are sandbox records."""

    population: Population
    total: int
    excluded: int
    weeks: dict[dt.date, int]


def counted(population: Population, period: Period) -> Counted:
    """Two queries."""
    by_week = population.within(period).annotate(week=TruncWeek(population.at, tzinfo=dt.UTC)).order_by()
    weeks = {row["week"].date(): row["members"] for row in by_week.values("week").annotate(members=Count("pk"))}
    return Counted(population, sum(weeks.values()), population.excluded(period), weeks)


def _requests() -> Rows:
    return RestoreRequest.objects.select_related("branch__project")


def _restores(production: bool) -> Callable[[], Rows]:
    condition = PRODUCTION if production else ~PRODUCTION
    return lambda: _requests().filter(condition, submitted_to_neon_at__isnull=False)


def _request_item(at: str) -> Callable[[RestoreRequest], Item]:
    def item(request: RestoreRequest) -> Item:
        return Item(
            id=request.reference,
            kind="request",
            at=getattr(request, at),
            what=f"{request.reference} {request.get_kind_display()}",
            who=request.requester_name,
            where=str(request.branch),
            result=request.get_state_display(),
            is_sandbox=request.branch.project.is_sandbox,
        )

    return item


def _drill_item(drill: Drill) -> Item:
    return Item(
        id=drill.reference,
        kind="drill",
        at=ended(drill),
        what=f"{drill.reference} {drill.title}",
        who=drill.asked_by_name,
        where=str(drill.branch or drill.project.name),
        result=drill.get_outcome_display() if drill.outcome else drill.get_state_display(),
        is_sandbox=drill.project.is_sandbox,
    )


def ended(drill: Drill) -> dt.datetime:
    """When it ended. Raises ValueError for a drill that has not, which the population leaves out."""
    if drill.ended_at is None:
        raise ValueError(f"{drill.reference} has not ended.")
    return drill.ended_at


def _event_item(event: LedgerEvent) -> Item:
    target = f"{event.target_kind.replace('_', ' ')} {event.target_id}"
    return Item(
        id=str(event.pk),
        kind="event",
        at=event.recorded_at,
        what=event.type,
        who=event.actor_name or event.actor_ref,
        where=target,
        result=event.outcome,
        is_sandbox=event.is_sandbox,
    )


def _finding_item(finding: Finding) -> Item:
    place = str(finding.branch) if finding.branch else finding.project.name if finding.project else "the whole"
    return Item(
        id=f"finding-{finding.pk}",
        kind="finding",
        at=finding.since,
        what=finding.sentence,
        who="outside the portal",
        where=place,
        result="explained" if finding.closed_at else "open",
        is_sandbox=bool(finding.project and finding.project.is_sandbox),
    )


def _review_item(review: LogReview) -> Item:
    signed = f"signed by {review.signed_by_name}" if review.signed_at else "not signed"
    return Item(
        id=f"review-{review.pk}",
        kind="log_review",
        at=review.ends_at,
        what=f"{review.population} events, from {review.begins_at:%Y-%m-%d %H:%M}",
        who=review.opened_by_name,
        where="the log",
        result=signed,
        is_sandbox=False,
    )


def _outside() -> Rows:
    codes = [code.value for code, kind in KINDS.items() if not kind.closes_by_itself]
    return Finding.objects.select_related("project", "branch__project").filter(code__in=codes)


def _events(*types: str) -> Callable[[], Rows]:
    return lambda: LedgerEvent.objects.defer("body", "members").filter(type__in=types)


_OF_SANDBOX = Q(branch__project__is_sandbox=True)

POPULATIONS: dict[str, Population] = {
    each.slug: each
    for each in (
        Population(
            "production-restores",
            "Restores of production",
            "Every restore of a production branch whose order Neon took in the period.",
            _restores(production=True),
            "submitted_to_neon_at",
            _OF_SANDBOX,
            _request_item("submitted_to_neon_at"),
        ),
        Population(
            "other-restores",
            "Other restores",
            "Every restore of a branch that counted as less than production.",
            _restores(production=False),
            "submitted_to_neon_at",
            _OF_SANDBOX,
            _request_item("submitted_to_neon_at"),
        ),
        Population(
            "not-carried-out",
            "Rejected, withdrawn, expired",
            "Every request that was closed in the period without an order to Neon.",
            lambda: _requests().filter(state__in=_CLOSED_UNCHANGED),
            "closed_at",
            _OF_SANDBOX,
            _request_item("closed_at"),
        ),
        Population(
            "refusals",
            "Refused attempts",
            "Every act that the portal refused, and every refused log-in.",
            _events("access.refused", "access.login_failed", "execution.refused"),
            "recorded_at",
            Q(world="sandbox"),
            _event_item,
        ),
        Population(
            "drills",
            "Drills",
            "Every drill that ended in the period, failed ones too.",
            lambda: Drill.objects.select_related("project", "branch__project").filter(ended_at__isnull=False),
            "ended_at",
            Q(project__is_sandbox=True),
            _drill_item,
        ),
        Population(
            "access-changes",
            "Access changes",
            "Every account made or changed, every role given or taken away, every password set.",
            _events(*ACCESS_TYPES),
            "recorded_at",
            Q(world="sandbox"),
            _event_item,
        ),
        Population(
            "outside-changes",
            "Changes outside the portal",
            "Every change at Neon that the monitor saw and that no request explains by itself.",
            _outside,
            "since",
            Q(project__is_sandbox=True),
            _finding_item,
        ),
        Population(
            "log-reviews",
            "Log reviews",
            "Every review of the log whose period ended in this one.",
            lambda: LogReview.objects.all(),
            "ends_at",
            Q(pk__in=[]),
            _review_item,
        ),
    )
}


def failed_drills(period: Period) -> int:
    """Of the drills of real projects in the period, those that proved nothing or proved the contrary."""
    ended = POPULATIONS["drills"].within(period).filter(outcome__isnull=False)
    return ended.exclude(outcome=DrillOutcome.PASSED).count()
