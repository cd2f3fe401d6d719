"""Looks whether the application is back: sessions on the branch, the newest migration, the health address.

Only reads. A look that finds nothing out changes nothing: the point stays open and is shown as unknown.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F

from backups.domain.afterwards import ApplicationSeen, PointCode, PointState, application_is_back, application_words
from backups.domain.people import worker_actor
from backups.ledger.fields import Detail
from backups.models import Checklist, ProtectedBranch
from backups.neon.errors import NeonError
from backups.selectors.clock import database_now
from backups.selectors.restore import governing_requests
from backups.services.afterwards.health_address import ask_health
from backups.services.afterwards.points import change_point
from backups.services.afterwards.records import lock_checklist
from backups.services.database_access import databases_of, dsn_of
from backups.services.execution.queue import put_other_task
from backups.services.neon_access import client_for
from backups.services.secrets import SecretsKeyUnusable, SecretUnreadable
from backups.verification import DatabaseUnreachable, OutOfTime, Unknown
from backups.verification.inspection import read_application

_MOST_AT_ONCE = 20
#: Each look waits twice as long as the one before, up to this.
_LONGEST_PAUSE = dt.timedelta(hours=1)
_GIVES_UP_AFTER = dt.timedelta(days=3)
_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One look. `head` is the newest migration in the branch's first database; empty where it is not known."""

    application: ApplicationSeen
    head: str = ""


def put_due_looks() -> int:
    """Gives every due look a task; returns how many. Harmless to run at any time."""
    due = Checklist.objects.filter(next_look_at__lte=database_now()).order_by("next_look_at")
    return sum(_put_look(pk) for pk in due.values_list("pk", flat=True)[:_MOST_AT_ONCE])


def look_at_application(*, checklist_id: int) -> None:
    """One look, noted. Leaves quietly when nobody waits for it any more. Harmless in any number of copies."""
    checklist = Checklist.objects.select_related("branch__project").get(pk=checklist_id)
    waits = checklist.points.filter(code=PointCode.APPLICATION, state=PointState.OPEN).exists()
    if not waits or governing_requests(checklist.branch.project).exists():
        return
    note_seen(checklist_id=checklist_id, seen=see_application(checklist.branch))


def see_application(branch: ProtectedBranch) -> Seen:
    """What is connected to the branch now, and what its health address answers. Raises nothing of Neon or SQL."""
    sessions, head = _read_sessions(branch)
    asked = bool(branch.health_url)
    status = ask_health(branch.health_url, within_seconds=settings.AFTERWARDS_HEALTH_SECONDS) if asked else None
    return Seen(ApplicationSeen(sessions, health_asked=asked, health_status=status), head)


def note_seen(*, checklist_id: int, seen: Seen) -> None:
    """Writes down what a look found, and settles the point when the application is back."""
    with transaction.atomic():
        checklist = lock_checklist(checklist_id)
        now = database_now()
        checklist.seen = _as_json(seen)
        checklist.seen_at = now
        checklist.save(update_fields=["seen", "seen_at"])
        point = checklist.points.select_for_update().filter(code=PointCode.APPLICATION, state=PointState.OPEN).first()
        if point is None or not application_is_back(checklist.sessions_before, seen.application):
            return
        details: dict[str, Detail] = {
            "sessions_before": sum((checklist.sessions_before or {}).values()),
            "sessions_now": seen.application.session_count,
        }
        words = application_words(checklist.sessions_before, seen.application)
        change_point(checklist, point, state=PointState.DONE, actor=worker_actor(), sentence=words, details=details)
        checklist.next_look_at = None
        checklist.save(update_fields=["next_look_at"])


def _put_look(checklist_id: int) -> bool:
    with transaction.atomic():
        checklist = Checklist.objects.select_for_update(skip_locked=True).filter(pk=checklist_id).first()
        now = database_now()
        if checklist is None or checklist.next_look_at is None or checklist.next_look_at > now:
            return False
        pause = dt.timedelta(seconds=settings.AFTERWARDS_FIRST_LOOK_SECONDS) * 2 ** min(checklist.looks, 12)
        next_at = now + min(pause, _LONGEST_PAUSE)
        gives_up = next_at > checklist.opened_at + _GIVES_UP_AFTER
        Checklist.objects.filter(pk=checklist_id).update(
            looks=F("looks") + 1, next_look_at=None if gives_up else next_at
        )
        put_other_task("look_at_application", checklist_id)
        return True


def _read_sessions(branch: ProtectedBranch) -> tuple[dict[str, int] | None, str]:
    """Sessions by application over all databases of the branch; None as soon as one of them can't be read."""
    try:
        with client_for(branch.project, correlation=f"B-{branch.pk}") as client:
            found = databases_of(client, branch.project, neon_branch_id=branch.neon_branch_id)
            dsns = [dsn_of(client, branch.project, neon_branch_id=branch.neon_branch_id, database=d) for d in found]
        read = [read_application(dsn, budget_seconds=_SECONDS / max(1, len(dsns))) for dsn in dsns]
    except (NeonError, SecretUnreadable, SecretsKeyUnusable, DatabaseUnreachable, OutOfTime):
        return None, ""
    heads = [head for _, head in read if isinstance(head, str)]
    sessions: dict[str, int] = {}
    for counted, _ in read:
        if isinstance(counted, Unknown):
            return None, heads[0] if heads else ""
        for name, count in counted.items():
            sessions[name] = sessions.get(name, 0) + count
    return (sessions if read else None), heads[0] if heads else ""


def _as_json(seen: Seen) -> dict[str, object]:
    return {
        "sessions": dict(seen.application.sessions) if seen.application.sessions is not None else None,
        "health_asked": seen.application.health_asked,
        "health_status": seen.application.health_status,
        "head": seen.head,
    }
