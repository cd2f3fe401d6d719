"""Duties as tasks: opened for each period, completed by what the portal sees, or by a person's word with a reason."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import Q

from backups.domain.duty import DUTIES, Cadence, DoneBy, Duty, period_at
from backups.domain.ledger import Target
from backups.domain.notification import Severity, Subject, SubjectKind, Topic
from backups.domain.people import Actor, Role
from backups.models import DutyTask, LedgerEvent
from backups.selectors.clock import database_now
from backups.selectors.duty_proof import Span, proof_of
from backups.services.drill_log.governed import demand, text_errors, words_of
from backups.services.execution.events import the_worker
from backups.services.ledger import record_event
from backups.services.notification.alert import alert
from backups.services.restore.errors import Refused
from backups.services.restore.governed import refusals_recorded, with_roles_of_now


def keep_duties() -> int:
    """Opens the tasks of this moment, completes what is proven, and tells of what was missed. Returns how many tasks
    changed. Harmless to run at any time and by several at once."""
    now = database_now()
    for duty in DUTIES.values():
        _open(duty, now)
    once = [duty.code for duty in DUTIES.values() if duty.cadence is Cadence.ONCE]
    # What was missed stays missed; a duty of one time can still be done.
    undone = DutyTask.objects.filter(Q(told_overdue_at__isnull=True) | Q(code__in=once), done_at__isnull=True)
    return sum(_judge(task_id, now) for task_id in undone.order_by("due_at", "pk").values_list("pk", flat=True))


def say_done(*, actor: Actor, code: str, reason: str) -> DutyTask:
    """A person says that a duty is done for now, which the portal can't see. Raises Refused, InvalidInput."""
    demand(text_errors("reason", reason, empty="Say what was done and what you saw."))
    with refusals_recorded(actor=actor, target=Target(kind="duty", id=code)):
        acting, duty = with_roles_of_now(actor), DUTIES.get(code)
        sentence = refusal_of_word(duty, acting)
        if duty is None or sentence is not None:
            raise Refused(action=None, code="duty_not_allowed", sentence=sentence or "There is no such duty.")
        now = database_now()
        _open(duty, now)
        task = _present(duty, now)
        if task.done_at is not None:
            raise Refused(action=None, code="duty_is_done", sentence="This is done already for now.")
        event = _record(task, "duty.done", acting, effect=DoneBy.PERSON, text=reason.strip())
        task.done_at, task.done_by, task.done_by_name = now, DoneBy.PERSON, acting.name
        task.reason = words_of(event)
        task.save()
        return task


def refusal_of_word(duty: Duty | None, actor: Actor) -> str | None:
    """Why this person's word does not complete the duty; None when it does. The page asks the same."""
    if duty is None:
        return "There is no such duty."
    if duty.is_seen or duty.capability is None:
        return "The portal completes this by itself when it sees the proof."
    if not actor.is_human or not actor.may(duty.capability):
        return "Your role does not let you say this."
    return None


def _open(duty: Duty, now: dt.datetime) -> None:
    """A duty of one time has one task, for ever."""
    if duty.cadence is Cadence.ONCE and DutyTask.objects.filter(code=duty.code).exists():
        return
    period = period_at(duty.cadence, now, first_seen_at=now)
    DutyTask.objects.get_or_create(
        code=duty.code, period_from=period.starts_at, defaults={"due_at": period.due_at, "opened_at": now}
    )


def _present(duty: Duty, now: dt.datetime) -> DutyTask:
    tasks = DutyTask.objects.select_for_update().filter(code=duty.code)
    return tasks.filter(period_from__lte=now).order_by("-period_from")[0]


def _judge(task_id: int, now: dt.datetime) -> bool:
    """One task in a transaction of its own."""
    with transaction.atomic():
        task = DutyTask.objects.select_for_update(skip_locked=True).filter(pk=task_id, done_at__isnull=True).first()
        if task is None or task.code not in DUTIES:
            return False
        seen = proof_of(task.code, _span_of(task, now))
        if seen:
            return _complete(task, seen, now)
        return _overdue(task, now) if now >= task.due_at else False


def _span_of(task: DutyTask, now: dt.datetime) -> Span:
    """Later proof belongs to a later task; a duty of one time is proven whenever it is."""
    is_once = DUTIES[task.code].cadence is Cadence.ONCE
    return Span(task.period_from, now if is_once else task.due_at)


def _complete(task: DutyTask, seen: str, now: dt.datetime) -> bool:
    task.done_at, task.done_by, task.proof = now, DoneBy.SEEN, seen[:200]
    task.save(update_fields=["done_at", "done_by", "proof"])
    _record(task, "duty.done", the_worker(), effect=DoneBy.SEEN)
    return True


def _overdue(task: DutyTask, now: dt.datetime) -> bool:
    if task.told_overdue_at is not None:
        return False
    task.told_overdue_at = now
    task.save(update_fields=["told_overdue_at"])
    _record(task, "duty.overdue", the_worker())
    duty = DUTIES[task.code]
    alert(
        topic=Topic.SYSTEM_TROUBLE,
        subject=Subject(SubjectKind.SYSTEM, f"duty-{task.code}".replace("_", "-")),
        severity=Severity.NOTICE if duty.cadence is Cadence.ONCE else Severity.WARNING,
        text=f"Not done in time: {duty.title}. It was due on {task.due_at:%Y-%m-%d %H:%M} UTC.",
        link_path="/readiness/",
        roles=[Role.ENGINEER, Role.MANAGER],
        occasion=f"overdue:{task.period_from:%Y-%m-%d}",
    )
    return True


def _record(task: DutyTask, type: str, actor: Actor, *, effect: DoneBy | None = None, text: str = "") -> LedgerEvent:
    return record_event(
        type=type,
        actor=actor,
        target=Target(kind="duty", id=task.code),
        details={"duty": task.code, "due_at": task.due_at, "effect": effect.value if effect else None},
        text=text,
    )
