"""The stages of drills and of real restores, for charts and tables. One query for each, however many of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.db.models import Max, Q, QuerySet

from backups.domain.drill import DrillState
from backups.domain.execution import Purpose
from backups.domain.recovery import Moment, Recovery, RecoveryKind
from backups.domain.restore import RequestState
from backups.models import Drill, Project, ProtectedBranch, RestoreRequest

MOST = 500


def drill_recoveries(
    *,
    since: dt.datetime,
    until: dt.datetime,
    branch: ProtectedBranch | None = None,
    project: Project | None = None,
    is_automatic: bool | None = None,
) -> list[Recovery]:
    """Drills that ended in the period, oldest first, the newest 500 at most."""
    found = Drill.objects.filter(state=DrillState.ENDED, ended_at__gte=since, ended_at__lt=until)
    if branch is not None:
        found = found.filter(branch=branch)
    if project is not None:
        found = found.filter(project=project)
    if is_automatic is not None:
        found = found.filter(is_automatic=is_automatic)
    newest = found.select_related("project", "branch").order_by("-ended_at", "-pk")[:MOST]
    return [recovery_of_drill(drill) for drill in reversed(newest)]


def restore_recoveries(
    *,
    since: dt.datetime,
    until: dt.datetime,
    branch: ProtectedBranch | None = None,
    project: Project | None = None,
) -> list[Recovery]:
    """Restores that Neon took in the period and that are over, oldest first, the newest 500 at most."""
    found = RestoreRequest.objects.filter(
        submitted_to_neon_at__gte=since, submitted_to_neon_at__lt=until, state=RequestState.COMPLETED
    )
    if branch is not None:
        found = found.filter(branch=branch)
    if project is not None:
        found = found.filter(branch__project=project)
    newest = _with_verification(found).order_by("-submitted_to_neon_at", "-pk")[:MOST]
    return [recovery_of_restore(request) for request in reversed(newest)]


def recovery_of_drill(drill: Drill) -> Recovery:
    """One drill; without project and branch selected this asks for them."""
    moments = {
        Moment.NOTICED: drill.noticed_at,
        Moment.REQUESTED: drill.requested_at,
        Moment.APPROVED: drill.approved_at,
        Moment.SUBMITTED: drill.submitted_at,
        Moment.CONNECTABLE: drill.connectable_at,
        Moment.VERIFIED: drill.verified_at,
    }
    return Recovery(
        kind=RecoveryKind.DRILL,
        reference=drill.reference,
        key=drill.pk,
        project_name=drill.project.name,
        branch_name=drill.branch.name if drill.branch else "",
        moments=_known(moments),
        outcome=drill.outcome or "",
        objective_seconds=drill.rto_objective_seconds,
        yielded_milliseconds=drill.yielded_milliseconds,
        rpo_milliseconds=drill.rpo_milliseconds,
    )


def recovery_of_restore(request: RestoreRequest) -> Recovery:
    """One restore. Verified is when its last check ended; where people accepted it unverified, there is none."""
    verified_at = getattr(request, "verified_at", None)
    moments = {
        Moment.NOTICED: request.noticed_at,
        Moment.REQUESTED: request.submitted_at,
        Moment.APPROVED: request.approved_at,
        Moment.SUBMITTED: request.submitted_to_neon_at,
        Moment.CONNECTABLE: request.connectable_at,
        Moment.VERIFIED: verified_at if request.outcome_code == "completed" else None,
    }
    return Recovery(
        kind=RecoveryKind.RESTORE,
        reference=request.reference,
        key=request.pk,
        project_name=request.branch.project.name,
        branch_name=request.branch.name,
        moments=_known(moments),
        outcome=request.state,
    )


def _with_verification(requests: QuerySet[RestoreRequest]) -> QuerySet[RestoreRequest]:
    of_restore = Q(executions__purpose=Purpose.RESTORE)
    last = Max("executions__checks__ended_at", filter=of_restore)
    return requests.select_related("branch__project").annotate(verified_at=last)


def _known(moments: Mapping[Moment, dt.datetime | None]) -> dict[Moment, dt.datetime]:
    return {moment: at for moment, at in moments.items() if at is not None}
