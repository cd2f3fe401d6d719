"""What pages, the monitor and programs need to know of safety copies."""

from __future__ import annotations

import datetime as dt

from django.db.models import QuerySet

from backups.domain.safety_copy import KEPT, CopyState, Origin
from backups.models import ApiToken, Project, ProtectedBranch, SafetyCopy, SafetySchedule


def copies(project: Project | None = None) -> QuerySet[SafetyCopy]:
    """Safety copies, the newest first."""
    found = SafetyCopy.objects.select_related("branch__project", "reason", "token")
    found = found if project is None else found.filter(branch__project=project)
    return found.order_by("-created_at", "-pk")


def kept_copies(project: Project | None = None) -> QuerySet[SafetyCopy]:
    """Those that are at Neon, or may be: what explains a snapshot or branch with a name of ours."""
    return copies(project).filter(state__in=[state.value for state in KEPT])


def newest_good(branch: ProtectedBranch) -> SafetyCopy | None:
    """The newest copy of the branch that Neon has."""
    return copies().filter(branch=branch, state=CopyState.MADE).first()


def schedules() -> QuerySet[SafetySchedule]:
    """Daily copies, switched off ones too."""
    return SafetySchedule.objects.select_related("branch__project").order_by("branch__project__name", "branch__name")


def overdue_schedules(now: dt.datetime, *, grace: dt.timedelta = dt.timedelta(hours=2)) -> list[SafetySchedule]:
    """Daily copies of which none was made for more than a day and the grace."""
    since = now - dt.timedelta(days=1) - grace
    due = schedules().filter(is_on=True, since__lte=since)
    made = SafetyCopy.objects.filter(origin=Origin.SCHEDULE, state=CopyState.MADE, made_at__gte=since)
    fresh = set(made.values_list("schedule_id", flat=True))
    return [schedule for schedule in due if schedule.pk not in fresh]


def tokens() -> QuerySet[ApiToken]:
    """Tokens of programs, those that still count first."""
    return ApiToken.objects.select_related("project").order_by("revoked_at", "-made_at")
