"""What people added to drills, and who may not sign them off."""

from __future__ import annotations

import datetime as dt

from django.db.models import QuerySet

from backups.domain.drill import DrillState
from backups.models import CorrectiveAction, Drill


def ran_by_ids(drill: Drill) -> frozenset[int]:
    """The accounts of whoever asked for the drill or led it; empty for one by schedule."""
    led = drill.participants.filter(ran_it=True, person__isnull=False).values_list("person_id", flat=True)
    asked = () if drill.asked_by_id is None else (drill.asked_by_id,)
    return frozenset((*asked, *led))


def open_actions() -> QuerySet[CorrectiveAction]:
    """Corrective actions of drills and reviews that are not done, the soonest due first."""
    found = CorrectiveAction.objects.filter(done_at__isnull=True)
    related = ("drill__project", "restore_request__branch__project", "record__branch__project", "owner")
    return found.select_related(*related).order_by("due_on", "pk")


def overdue_actions(now: dt.datetime) -> QuerySet[CorrectiveAction]:
    """Those whose day is over, in UTC."""
    return open_actions().filter(due_on__lt=now.astimezone(dt.UTC).date())


def unsigned_drills() -> QuerySet[Drill]:
    """Exercises that ended and nobody signed, oldest first. Automatic drills take a signature and don't ask for one."""
    found = Drill.objects.filter(is_automatic=False, state=DrillState.ENDED, sign_off__isnull=True)
    return found.select_related("project", "branch").order_by("ended_at")
