"""What the start page says about each governed branch: only what is known, and since when."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Max, Q

from backups.domain.drill import Proof, Standing
from backups.domain.policy import Environment
from backups.domain.restore import RequestState
from backups.models import Drill, Project, ProtectedBranch, RestoreRequest
from backups.selectors.drill import last_good_drills, standings

#: Neon's answers are believed for this long; after that the page says that it does not know.
FRESH = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Whether one branch can be brought back, as far as anybody knows."""

    branch: ProtectedBranch
    environment: Environment
    oldest_point: dt.datetime | None
    has_points_in_time: bool
    asked_neon_at: dt.datetime | None
    is_fresh: bool
    proven_at: dt.datetime | None
    standing: Standing
    last_good: Drill | None
    now: dt.datetime

    @property
    def is_proven(self) -> bool:
        """A drill proves it now, or a verified restore that is no older than a good drill may be."""
        if self.standing.proof in {Proof.PROVEN, Proof.DOUBTFUL}:
            return self.standing.proof is Proof.PROVEN
        limit = self.standing.limit_seconds
        return self.proven_at is not None and limit is not None and self.seconds_since_restore <= limit

    @property
    def seconds_since_restore(self) -> float:
        return (self.now - self.proven_at).total_seconds() if self.proven_at else float("inf")


def recoveries(now: dt.datetime) -> list[Recovery]:
    """One entry per root branch in care, production first. Five queries, however many."""
    proven = Q(requests__state=RequestState.COMPLETED, requests__outcome_code="completed")
    rows = (
        ProtectedBranch.objects.select_related("project")
        .filter(missing_since__isnull=True)
        .exclude(is_root=False)
        .annotate(proven_at=Max("requests__closed_at", filter=proven))
        .order_by("project__name", "-is_default", "name")
    )
    branches = list(rows)
    known, good = standings(branches, now=now), last_good_drills(branches)
    found = [_recovery(branch, known[branch.pk], good.get(branch.pk), now) for branch in branches]
    return sorted(found, key=lambda item: list(Environment).index(item.environment))


def _recovery(branch: ProtectedBranch, standing: Standing, good: Drill | None, now: dt.datetime) -> Recovery:
    project: Project = branch.project
    asked = project.connected_at
    fresh = asked is not None and now - asked <= FRESH
    window = project.history_retention_seconds
    known = fresh and window is not None
    return Recovery(
        branch=branch,
        environment=branch.environment,
        oldest_point=now - dt.timedelta(seconds=window) if known and window is not None else None,
        has_points_in_time=not branch.is_from_snapshot,
        asked_neon_at=asked,
        is_fresh=fresh,
        proven_at=getattr(branch, "proven_at", None),
        standing=standing,
        last_good=good,
        now=now,
    )


@dataclass(frozen=True, slots=True)
class Populations:
    """How many requests ended how; for whoever audits."""

    completed: int
    failed: int
    refused: int
    open: int


def populations() -> Populations:
    """Counts of real projects; what happened in a sandbox is no evidence."""
    rows = RestoreRequest.objects.filter(branch__project__is_sandbox=False).values_list("state", flat=True)
    states = list(rows)
    closed_unchanged = {RequestState.REJECTED, RequestState.EXPIRED, RequestState.WITHDRAWN}
    return Populations(
        completed=states.count(RequestState.COMPLETED),
        failed=states.count(RequestState.FAILED),
        refused=sum(1 for state in states if state in closed_unchanged),
        open=sum(1 for state in states if state not in closed_unchanged | {_DONE, RequestState.FAILED}),
    )


_DONE = RequestState.COMPLETED
