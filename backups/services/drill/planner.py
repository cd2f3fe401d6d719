"""The worker's duty that begins drills when they are due, by the database's clock."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from backups.domain.drill import ScheduleKind
from backups.domain.notification import Control
from backups.models import DrillPlan
from backups.selectors.clock import database_now
from backups.services.drill.schedule import times_after
from backups.services.drill.slots import settle_slots
from backups.services.notification.heartbeat import beat


def plan_due_drills() -> int:
    """Settles what is due in every plan; returns how many plans had something. Harmless in any number at once."""
    now = database_now()
    scheduled = DrillPlan.objects.filter(is_active=True).exclude(schedule_kind=ScheduleKind.BY_HAND)
    settled = sum(_settle(plan.pk) for plan in scheduled.order_by("pk") if _is_due(plan, now))
    beat(Control.DRILLS)
    return settled


def _is_due(plan: DrillPlan, now: dt.datetime) -> bool:
    following = next(times_after(plan, plan.planned_until or plan.created_at), None)
    return following is not None and following <= now


def _settle(plan_id: int) -> bool:
    """One transaction for one plan; another planner that is at it is left alone."""
    with transaction.atomic():
        plan = (
            DrillPlan.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("branch__project")
            .filter(pk=plan_id, is_active=True)
            .first()
        )
        if plan is None:
            return False
        settle_slots(plan, now=database_now())
        plan.save(update_fields=["planned_until"])
        return True
