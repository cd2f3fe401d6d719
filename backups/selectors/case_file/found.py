"""Which cases there are: of a period, or those that a word names."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.db.models import Q

from backups.domain.period import Period
from backups.models import Drill, LedgerEvent, RestoreRequest
from backups.selectors.audit.populations import ACCESS_TYPES

MOST_SHOWN = 50
_REFERENCE = re.compile(r"([RD])-?([0-9]{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cases:
    """Newest first, at most MOST_SHOWN of each kind; `is_cut` names the kinds of which there are more.

    `person_ids`: of the accounts that the word named.
    """

    restores: list[RestoreRequest]
    drills: list[Drill]
    access: list[LedgerEvent]
    is_cut: frozenset[str]
    person_ids: tuple[int, ...] = ()


def cases_of(period: Period) -> Cases:
    """What was submitted, made or changed in it. Three queries."""
    return _cases(
        Q(submitted_at__gte=period.begins_at, submitted_at__lt=period.ends_before),
        Q(created_at__gte=period.begins_at, created_at__lt=period.ends_before),
        Q(recorded_at__gte=period.begins_at, recorded_at__lt=period.ends_before),
    )


def cases_named(word: str) -> Cases:
    """R-0142, D-0088, or a login: what that person asked for, and changes of their account. At most four queries."""
    reference = _REFERENCE.fullmatch(word)
    if reference:
        pk = int(reference[2])
        is_restore = reference[1].upper() == "R"
        one, none = Q(pk=pk), Q(pk__in=[])
        return _cases(one if is_restore else none, none if is_restore else one, none)
    people = tuple(User.objects.filter(username__iexact=word).values_list("pk", flat=True))
    accounts = Q(target_id__in=[f"user:{pk}" for pk in people])
    found = _cases(Q(requester__username__iexact=word), Q(asked_by__username__iexact=word), accounts)
    return replace(found, person_ids=people)


def _cases(restores: Q, drills: Q, access: Q) -> Cases:
    requests = RestoreRequest.objects.filter(restores).select_related("branch__project").order_by("-pk")
    rehearsals = Drill.objects.filter(drills).select_related("project").order_by("-pk")
    changes = LedgerEvent.objects.filter(access, type__in=ACCESS_TYPES).defer("body", "members")
    restored = list(requests[: MOST_SHOWN + 1])
    rehearsed = list(rehearsals[: MOST_SHOWN + 1])
    changed = list(changes.order_by("-recorded_at", "-id")[: MOST_SHOWN + 1])
    counts = {"restores": len(restored), "drills": len(rehearsed), "access": len(changed)}
    return Cases(
        restores=restored[:MOST_SHOWN],
        drills=rehearsed[:MOST_SHOWN],
        access=changed[:MOST_SHOWN],
        is_cut=frozenset(kind for kind, count in counts.items() if count > MOST_SHOWN),
    )
