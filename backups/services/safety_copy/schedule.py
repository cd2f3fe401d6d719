"""A safety copy a day: one for each planned time, and none made up for a time that was missed long ago."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from backups.domain.people import Actor, Capability, worker_actor
from backups.domain.safety_copy import CopyKind, Origin, latest_slot, longest_keep_days
from backups.ledger.fields import Detail
from backups.models import ProtectedBranch, SafetyCopy, SafetySchedule
from backups.selectors.clock import database_now
from backups.services.ledger import record_event
from backups.services.project import lock_branch, target_of_branch
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import refusals_recorded, with_roles_of_now
from backups.services.safety_copy.ask import CopyWish, make_row

#: A planned time that is older than this was missed: the monitor sees that the newest copy is too old.
LATE = dt.timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCopy:
    """When, UTC, and for how long each is kept."""

    hour: int
    minute: int
    keep_days: int
    kind: CopyKind | None
    is_on: bool


def set_schedule(*, actor: Actor, branch_id: int, daily: DailyCopy) -> SafetySchedule:
    """Sets or switches off the daily copy of a branch. Copies that exist keep their own time. Raises Refused,
    InvalidInput."""
    found = ProtectedBranch.objects.select_related("project").get(pk=branch_id)
    with refusals_recorded(actor=actor, target=target_of_branch(found)):
        person = with_roles_of_now(actor)
        if not (person.is_human and person.may(Capability.MAKE_SAFETY_COPY)):
            sentence = "Your role does not let you plan safety copies."
            raise Refused(action=None, code="schedule_not_allowed", sentence=sentence)
        branch = lock_branch(branch_id)
        _check(daily, branch)
        schedule = _store(branch, daily, person)
        _tell(branch, schedule, person)
        return schedule


def make_due_copies() -> int:
    """Asks for the copies whose planned time has come; returns how many. Harmless to run at any time."""
    now = database_now()
    due = [each.pk for each in SafetySchedule.objects.filter(is_on=True) if _slot(each, now) is not None]
    return sum(_make(schedule_id) for schedule_id in due)


def _slot(schedule: SafetySchedule, now: dt.datetime) -> dt.datetime | None:
    """The newest planned time, if it is to be filled now."""
    slot = latest_slot(now, hour=schedule.hour, minute=schedule.minute)
    if slot < schedule.since or now - slot > LATE:
        return None
    return None if SafetyCopy.objects.filter(schedule=schedule, slot_at=slot).exists() else slot


def _make(schedule_id: int) -> bool:
    with transaction.atomic():
        found = SafetySchedule.objects.select_for_update(of=("self",), skip_locked=True)
        schedule = found.select_related("branch__project").filter(pk=schedule_id, is_on=True).first()
        slot = _slot(schedule, database_now()) if schedule is not None else None
        if schedule is None or slot is None or schedule.branch.missing_since is not None:
            return False
        kind = CopyKind(schedule.kind) if schedule.kind else None
        wish = CopyWish(branch_id=schedule.branch_id, reason="", kind=kind, keep_days=schedule.keep_days)
        make_row(
            actor=worker_actor(),
            branch=schedule.branch,
            wish=wish,
            origin=Origin.SCHEDULE,
            schedule=schedule,
            slot_at=slot,
        )
        return True


def _store(branch: ProtectedBranch, daily: DailyCopy, actor: Actor) -> SafetySchedule:
    schedule, _ = SafetySchedule.objects.select_for_update().update_or_create(
        branch=branch,
        defaults={
            "hour": daily.hour,
            "minute": daily.minute,
            "keep_days": daily.keep_days,
            "kind": daily.kind.value if daily.kind else "",
            "is_on": daily.is_on,
            "since": database_now(),
            "changed_by_name": actor.name,
        },
    )
    return schedule


def _tell(branch: ProtectedBranch, schedule: SafetySchedule, actor: Actor) -> None:
    details: dict[str, Detail] = {
        "branch": branch.neon_branch_id,
        "branch_name": branch.name,
        "kind": schedule.kind or None,
        "keep_days": schedule.keep_days,
        "active": schedule.is_on,
        "schedule": [f"daily {schedule.hour:02d}:{schedule.minute:02d} UTC"],
    }
    record_event(
        type="copy.scheduled",
        actor=actor,
        target=target_of_branch(branch),
        details=details,
        sandbox=branch.project.is_sandbox,
    )


def _check(daily: DailyCopy, branch: ProtectedBranch) -> None:
    errors = {}
    if not (0 <= daily.hour < 24 and 0 <= daily.minute < 60):
        errors["time"] = "Give a time of day between 00:00 and 23:59, UTC."
    longest = longest_keep_days(daily.kind)
    if not 1 <= daily.keep_days <= longest:
        errors["keep_days"] = f"Keep each for 1 to {longest} days."
    if daily.kind is CopyKind.SNAPSHOT and branch.is_root is False:
        errors["kind"] = "Neon takes snapshots of root branches only. Choose a branch."
    if errors:
        raise InvalidInput(errors)
