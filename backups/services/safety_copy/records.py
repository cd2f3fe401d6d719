"""Events about safety copies, and what becomes of them: the only writers of their state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from backups.domain.ledger import Outcome, Target
from backups.domain.monitor import Severity
from backups.domain.notification import Subject, SubjectKind, Topic
from backups.domain.people import Actor, Role
from backups.domain.safety_copy import CopyKind, CopyState, Origin
from backups.ledger.fields import Detail
from backups.models import LedgerEvent, SafetyCopy
from backups.selectors.clock import database_now
from backups.services.execution.events import the_worker
from backups.services.ledger import record_event
from backups.services.notification.alert import alert


def target_of_copy(copy: SafetyCopy) -> Target:
    """The copy as the target of an event."""
    return Target(
        kind="safety_copy",
        id=copy.reference,
        project=copy.branch.project.neon_project_id,
        branch=copy.branch.neon_branch_id,
        environment=copy.branch.environment.value,
    )


def record_copy(
    copy: SafetyCopy,
    type: str,
    actor: Actor | None,
    details: Mapping[str, Detail] | None = None,
    *,
    text: str = "",
    outcome: Outcome = Outcome.SUCCESS,
) -> LedgerEvent:
    """One event about the copy, in the caller's transaction; without an actor it is the worker's."""
    facts: dict[str, Detail] = {
        "safety_copy": copy.reference,
        "kind": copy.kind or copy.wanted_kind or None,
        "branch": copy.branch.neon_branch_id,
        "branch_name": copy.name or copy.branch.name,
        "environment": copy.branch.environment.value,
        "keep_days": copy.keep_days,
        "expires_at": copy.expires_at,
        "token": copy.token.prefix if copy.token else None,
    }
    return record_event(
        type=type,
        actor=actor or the_worker(),
        target=target_of_copy(copy),
        outcome=outcome,
        details=facts | dict(details or {}),
        text=text,
        sandbox=copy.branch.project.is_sandbox,
        correlation=copy.reference,
    )


def lock_copy(copy_id: int) -> SafetyCopy:
    """The copy's row, locked until the transaction ends."""
    return (
        SafetyCopy.objects.select_for_update(of=("self",))
        .select_related("branch__project", "token", "asked_by")
        .get(pk=copy_id)
    )


def decide_kind(*, copy_id: int, kind: CopyKind) -> None:
    """What fits; in the caller's transaction."""
    copy = lock_copy(copy_id)
    if copy.state == CopyState.ASKED:
        copy.kind = kind.value
        copy.save(update_fields=["kind"])


def copy_is_made(*, copy_id: int, neon_id: str, at: dt.datetime, execution_id: int) -> None:
    """Neon shows it, and it is of this order; in the caller's transaction."""
    copy = lock_copy(copy_id)
    if copy.state != CopyState.ASKED:
        return
    copy.state, copy.neon_id, copy.made_at, copy.problem = CopyState.MADE.value, neon_id, at, ""
    copy.save(update_fields=["state", "neon_id", "made_at", "problem"])
    took = round((at - copy.created_at).total_seconds() * 1000)
    details: dict[str, Detail] = {"neon_id": neon_id, "execution": str(execution_id), "duration_ms": took}
    record_copy(copy, "copy.made", None, details)
    _tell(copy)


def copy_has_failed(*, copy_id: int, code: str, sentence: str, execution_id: int) -> None:
    """There is none, or nobody can say; in the caller's transaction."""
    copy = lock_copy(copy_id)
    if copy.state != CopyState.ASKED:
        return
    copy.state, copy.problem = CopyState.FAILED.value, sentence[:400]
    copy.save(update_fields=["state", "problem"])
    details: dict[str, Detail] = {"error": code, "execution": str(execution_id)}
    record_copy(copy, "copy.failed", None, details, outcome=Outcome.FAILURE)
    _tell(copy)


def copy_is_gone(*, copy_id: int, means: str, actor: Actor | None = None) -> None:
    """It is not at Neon any more; in the caller's transaction. `means`: removed, or found to be gone."""
    copy = lock_copy(copy_id)
    if copy.state in {CopyState.GONE, CopyState.LEFT}:
        return
    was_kept = copy.state == CopyState.MADE
    copy.state, copy.gone_at = CopyState.GONE.value, database_now()
    copy.save(update_fields=["state", "gone_at"])
    if was_kept:
        record_copy(copy, "copy.gone", actor, {"neon_id": copy.neon_id or None, "means": means})


def copy_was_left(*, copy_id: int, code: str) -> None:
    """Somebody took it over at Neon, so it is theirs; in the caller's transaction."""
    copy = lock_copy(copy_id)
    if copy.state != CopyState.MADE:
        return
    copy.state, copy.problem = CopyState.LEFT.value, "Somebody took it over at Neon; the portal left it alone."
    copy.save(update_fields=["state", "problem"])
    record_copy(copy, "copy.left", None, {"neon_id": copy.neon_id, "error": code}, outcome=Outcome.FAILURE)


def _tell(copy: SafetyCopy) -> None:
    """Whoever asked is told either way; the daily ones only when there is none."""
    made = copy.state == CopyState.MADE
    if made and copy.origin == Origin.SCHEDULE:
        return
    words = "is made" if made else "FAILED: nothing protects the work that it was asked for"
    alert(
        topic=Topic.SAFETY_COPY_MADE if made else Topic.SAFETY_COPY_FAILED,
        subject=Subject(
            kind=SubjectKind.SAFETY_COPY,
            reference=copy.reference,
            project=copy.branch.project.neon_project_id,
            is_sandbox=copy.branch.project.is_sandbox,
        ),
        severity=Severity.NOTICE if made else Severity.WARNING,
        text=f"Safety copy {copy.reference} of {copy.branch.name} {words}.",
        link_path=f"/safety-copies/{copy.pk}/",
        people=[copy.asked_by] if copy.asked_by else [],
        roles=() if made else (Role.ENGINEER,),
        occasion=copy.state,
    )
