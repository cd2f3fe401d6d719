"""Opens the checklist of a restore, in the transaction that completes it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings

from backups.domain.afterwards import (
    OTHER_SYSTEMS,
    KnownBy,
    Lost,
    Planned,
    PointCode,
    PointState,
    points_for,
    review_due,
    told_text,
)
from backups.domain.execution import BranchFate, BranchPurpose
from backups.domain.people import Actor
from backups.domain.restore import RestoreKind
from backups.models import Checklist, ChecklistPoint, OwnedBranch, Project, RestoreRequest, RetrospectiveRecord, Review
from backups.selectors.policy import policy_in_force
from backups.services.afterwards.points import close_if_settled
from backups.services.afterwards.records import lock_checklist, record_after


def open_checklist(request: RestoreRequest, *, actor: Actor, now: dt.datetime) -> Checklist:
    """What the restore left to do, from its project's and branch's set-up. The caller holds the request's lock.

    Makes no call to Neon and opens no database: what was there before is in the facts that people voted on.
    """
    existing = Checklist.objects.filter(request=request).first()
    if existing is not None:
        return existing
    kind, observed = RestoreKind(request.kind), _observed(request)
    kept = _kept(request)
    heads = observed.get("migration_head", {})
    planned = points_for(
        kind=kind,
        environment=request.branch.environment,
        systems=systems_of(request.branch.project),
        keeps_state_before=kept is not None,
        head_before=heads.get("now"),
        head_after=heads.get("then"),
    )
    keep_until = now + dt.timedelta(days=policy_in_force().preserved_branch_days) if kept else None
    checklist = Checklist.objects.create(
        request=request,
        branch=request.branch,
        opened_at=now,
        sessions_before=_sessions(observed),
        head_before=heads.get("now") or "",
        head_after=heads.get("then") or "",
        told_text=_told(request, observed, keep_until, now) if kind.overwrites else "",
        next_look_at=_first_look(planned, now),
        kept_until=keep_until,
        kept_owner=request.requester if kept else None,
        kept_owner_name=request.requester_name if kept else "",
        review_due_at=review_due(now) if _has(planned, PointCode.REVIEW) else None,
    )
    _fill(checklist, planned, now)
    Review.objects.create(checklist=checklist, asked_by=request.requester, ran_by=request.start_asked_by)
    _note(checklist, actor, kept.name if kept else "")
    if request.undo_of is not None:
        settle_undone(request.undo_of, by=request, actor=actor, now=now)
    return checklist


def open_checklist_of_record(record: RetrospectiveRecord, *, actor: Actor, now: dt.datetime) -> Checklist:
    """The same for a restore that was done by hand; of what was there before nothing is known."""
    planned = points_for(
        kind=RestoreKind(record.kind),
        environment=record.branch.environment,
        systems=systems_of(record.branch.project),
        keeps_state_before=False,
        head_before=None,
        head_after=None,
    )
    branch = record.branch
    words = told_text(
        branch=f"{branch.project.name} / {branch.name}",
        lost_from=record.point_at,
        lost_to=record.done_at,
        lost=(),
        kept_until=None,
    )
    checklist = Checklist.objects.create(
        record=record,
        branch=branch,
        opened_at=now,
        told_text=words if RestoreKind(record.kind).overwrites else "",
        next_look_at=_first_look(planned, now),
        review_due_at=review_due(now) if _has(planned, PointCode.REVIEW) else None,
    )
    _fill(checklist, planned, now)
    Review.objects.create(checklist=checklist, asked_by=record.filed_by, ran_by=record.done_by)
    _note(checklist, actor, "")
    return checklist


def settle_undone(restore: RestoreRequest, *, by: RestoreRequest, actor: Actor, now: dt.datetime) -> None:
    """An undo took the restore back: what it had left to do is done for the undo's own checklist instead."""
    found = Checklist.objects.filter(request=restore).first()
    if found is None:
        return
    checklist = lock_checklist(found.pk)
    moot = checklist.points.filter(state=PointState.OPEN).exclude(code__in=[PointCode.REVIEW, PointCode.KEPT])
    for point in moot:
        before = point.state
        point.state, point.known_by = PointState.NOT_NEEDED.value, KnownBy.PORTAL.value
        point.changed_at, point.sentence = now, f"Taken back by {by.reference}, which has a list of its own."
        point.save()
        details = {"point": point.code, "subject": point.subject or None, "from_state": before}
        settled = details | {"to_state": point.state, "means": KnownBy.PORTAL.value}
        record_after(checklist, type="afterwards.point_changed", actor=actor, details=settled)
    checklist.next_look_at = None
    checklist.save(update_fields=["next_look_at"])
    close_if_settled(checklist, actor)


def systems_of(project: Project) -> tuple[str, ...]:
    """The systems beside the database that a restore does not take back, as set for the project."""
    return OTHER_SYSTEMS if project.other_systems is None else tuple(project.other_systems)


def _observed(request: RestoreRequest) -> dict[str, Any]:
    """The newest reading before the start: what was read again for who decided later, else the packet's."""
    then: dict[str, Any] = request.packet.observed if request.packet else {}
    again: dict[str, Any] = request.observed_now or {}
    return again or then


def _sessions(observed: dict[str, Any]) -> dict[str, int] | None:
    sessions = observed.get("sessions", {})
    return None if sessions.get("count") is None else dict(sessions.get("by_application", {}))


def _kept(request: RestoreRequest) -> OwnedBranch | None:
    return (
        OwnedBranch.objects.filter(request=request, purpose=BranchPurpose.PRESERVED)
        .exclude(fate=BranchFate.GONE)
        .order_by("-pk")
        .first()
    )


def _told(request: RestoreRequest, observed: dict[str, Any], kept_until: dt.datetime | None, now: dt.datetime) -> str:
    return told_text(
        branch=f"{request.branch.project.name} / {request.branch.name}",
        lost_from=request.point_at,
        lost_to=request.submitted_to_neon_at or request.running_at or now,
        lost=_lost(observed),
        kept_until=kept_until,
    )


def _lost(observed: dict[str, Any]) -> list[Lost]:
    """Rows by their plain meaning; what nobody gave a meaning is one number."""
    rows = [row for row in observed.get("tables", []) if row["lost_at_least"]]
    named = [Lost(row["meaning"] or row["table"], row["lost_at_least"], row["patient_safety"]) for row in rows
             if row["meaning"] or row["patient_safety"]]  # fmt: skip
    others = sum(row["lost_at_least"] for row in rows if not (row["meaning"] or row["patient_safety"]))
    return [*named, Lost("other entries", others)] if others else named


def _has(planned: tuple[Planned, ...], code: PointCode) -> bool:
    return any(point.code is code for point in planned)


def _first_look(planned: tuple[Planned, ...], now: dt.datetime) -> dt.datetime | None:
    if not _has(planned, PointCode.APPLICATION):
        return None
    return now + dt.timedelta(seconds=settings.AFTERWARDS_FIRST_LOOK_SECONDS)


def _fill(checklist: Checklist, planned: tuple[Planned, ...], now: dt.datetime) -> None:
    ChecklistPoint.objects.bulk_create(
        ChecklistPoint(
            checklist=checklist,
            code=point.code.value,
            subject=point.subject,
            position=position,
            state=point.state.value,
            known_by="" if point.state is PointState.OPEN else KnownBy.PORTAL.value,
            changed_at=None if point.state is PointState.OPEN else now,
            sentence=point.sentence,
        )
        for position, point in enumerate(planned)
    )


def _note(checklist: Checklist, actor: Actor, preserved_name: str) -> None:
    cause = checklist.request or checklist.record
    record_after(
        checklist,
        type="afterwards.opened",
        actor=actor,
        details={
            "kind": cause.kind if cause else None,
            "environment": checklist.branch.environment.value,
            "points": checklist.points.count(),
            "deadline": checklist.review_due_at,
            "branch_name": preserved_name or None,
        },
    )
