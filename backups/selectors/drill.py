"""What pages, services and the monitor need to know of drills."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db.models import Min, QuerySet

from backups.domain.drill import DrillOutcome, DrillState, Standing, proof_of
from backups.models import Drill, DrillPlan, ProtectedBranch


def standings(branches: Iterable[ProtectedBranch], *, now: dt.datetime) -> dict[int, Standing]:
    """What automatic drills say of each branch, by its key. Three queries, however many branches."""
    keys = [branch.pk for branch in branches]
    limits = dict(
        DrillPlan.objects.filter(branch__in=keys, is_active=True)
        .values_list("branch")
        .annotate(limit=Min("good_for_seconds"))
        .values_list("branch_id", "limit")
    )
    ended = Drill.objects.filter(branch__in=keys, is_automatic=True, state=DrillState.ENDED)
    last = {row.branch_id: row for row in _newest(ended)}
    good = {row.branch_id: row.ended_at for row in _newest(ended.filter(outcome=DrillOutcome.PASSED))}
    return {key: _standing(limits.get(key), last.get(key), good.get(key), now) for key in keys}


def last_good_drills(branches: Iterable[ProtectedBranch]) -> dict[int, Drill]:
    """The newest automatic drill of each branch that passed, by the branch's key. One query."""
    passed = Drill.objects.filter(
        branch__in=[branch.pk for branch in branches],
        is_automatic=True,
        state=DrillState.ENDED,
        outcome=DrillOutcome.PASSED,
    )
    return {row.branch_id: row for row in _newest(passed) if row.branch_id is not None}


def standing_of(branch: ProtectedBranch, *, now: dt.datetime) -> Standing:
    """What automatic drills say of one branch."""
    return standings([branch], now=now)[branch.pk]


def last_drill_of(branch: ProtectedBranch) -> Drill | None:
    """The newest automatic drill of the branch that has ended, whatever it showed."""
    return _newest(Drill.objects.filter(branch=branch, is_automatic=True, state=DrillState.ENDED)).first()


def _newest(drills: QuerySet[Drill]) -> QuerySet[Drill]:
    return drills.order_by("branch", "-ended_at", "-pk").distinct("branch")


def _standing(limit: int | None, last: Drill | None, good: dt.datetime | None, now: dt.datetime) -> Standing:
    return Standing(
        proof=proof_of(
            now=now,
            last_good_at=good,
            limit_seconds=limit,
            newest_failed=last is not None and last.outcome == DrillOutcome.FAILED,
        ),
        last_good_at=good,
        limit_seconds=limit,
        last_outcome=DrillOutcome(last.outcome) if last and last.outcome else None,
        last_ended_at=last.ended_at if last else None,
    )
