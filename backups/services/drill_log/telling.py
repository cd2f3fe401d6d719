"""Who is told of drills that want a signature, and of corrective actions that nobody finished."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from backups.domain.notification import Severity, Subject, SubjectKind, Topic
from backups.domain.people import Capability, Role
from backups.models import CorrectiveAction, Drill, LedgerEvent, Project
from backups.selectors.clock import database_now
from backups.selectors.drill_log import open_actions, ran_by_ids
from backups.selectors.people import people_with
from backups.services.corrective_action import project_of, record_action, reference_of
from backups.services.execution.events import the_worker
from backups.services.notification.alert import alert

#: The owner hears of it so long before the last day.
_AHEAD = dt.timedelta(days=2)


def tell_signature_wanted(drill: Drill) -> int:
    """Managers are asked to read and sign; in the transaction that ends the exercise."""
    return alert(
        topic=Topic.DRILL_SIGN_OFF_WANTED,
        subject=_subject(SubjectKind.DRILL, drill.reference, drill.project),
        severity=Severity.NOTICE,
        text=f"{drill.reference} has ended and wants the signature of a manager who did not run it.",
        link_path=f"/drills/{drill.pk}/",
        people=people_with(Capability.SIGN_OFF_DRILL).exclude(pk__in=ran_by_ids(drill)),
        occasion="ended",
    )


def escalate_actions() -> int:
    """Reminds owners ahead of the day, and tells managers too once it is over, each week anew; returns how many
    messages can travel. Harmless to run at any time."""
    now = database_now()
    today = now.astimezone(dt.UTC).date()
    waiting = open_actions().filter(due_on__lte=today + _AHEAD)
    return sum(_tell(action.pk, today) for action in waiting)


def _tell(action_id: int, today: dt.date) -> int:
    """One action in a transaction of its own, so that one that fails keeps no other back."""
    with transaction.atomic():
        locked = CorrectiveAction.objects.select_for_update(of=("self",)).filter(pk=action_id, done_at__isnull=True)
        related = (
            "drill__project",
            "restore_request__branch__project",
            "record__branch__project",
            "log_review_item",
            "owner",
        )
        action = locked.select_related(*related).first()
        if action is None:
            return 0
        return _overdue(action, today) if action.due_on < today else _due(action)


def _due(action: CorrectiveAction) -> int:
    return _alert(
        action,
        topic=Topic.ACTION_DUE,
        severity=Severity.NOTICE,
        text=f"{reference_of(action)} is yours and is due on {action.due_on:%Y-%m-%d} (UTC).",
        occasion=f"due:{action.due_on}",
    )


def _overdue(action: CorrectiveAction, today: dt.date) -> int:
    if not _is_recorded(action):
        record_action(action, "action.overdue", the_worker())
    weeks = (today - action.due_on).days // 7
    late = "" if weeks == 0 else f", for {weeks} {'week' if weeks == 1 else 'weeks'} now"
    return _alert(
        action,
        topic=Topic.ACTION_OVERDUE,
        severity=Severity.WARNING,
        text=f"{reference_of(action)} of {action.owner_name} was due on {action.due_on} and is not done{late}.",
        occasion=f"overdue:{action.due_on}:{weeks}",
        roles=(Role.MANAGER,),
    )


def _alert(
    action: CorrectiveAction,
    *,
    topic: Topic,
    severity: Severity,
    text: str,
    occasion: str,
    roles: tuple[Role, ...] = (),
) -> int:
    return alert(
        topic=topic,
        subject=_subject(SubjectKind.ACTION, reference_of(action), project_of(action)),
        severity=severity,
        text=text,
        link_path=f"/actions/{action.pk}/",
        people=[action.owner],
        roles=roles,
        occasion=occasion,
    )


def _is_recorded(action: CorrectiveAction) -> bool:
    """An action that moved can be overdue again, which is another event."""
    events = LedgerEvent.objects.filter(type="action.overdue", target_kind="action", target_id=reference_of(action))
    return any(event.members["data"]["due_on"] == action.due_on.isoformat() for event in events)


def _subject(kind: SubjectKind, reference: str, project: Project | None) -> Subject:
    if project is None:
        return Subject(kind=kind, reference=reference)
    return Subject(kind=kind, reference=reference, project=project.neon_project_id, is_sandbox=project.is_sandbox)
