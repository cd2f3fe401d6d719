"""A look at a past moment: a copy that removes itself, without a request and without touching the branch."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import F

from backups.domain.execution import ExecutionState, Purpose, Step
from backups.domain.ledger import Target
from backups.domain.people import Actor, Capability
from backups.domain.restore import PointKind, RestorePoint, whole_milliseconds
from backups.ledger.fields import Detail
from backups.models import Execution, Look, LookState, ProtectedBranch
from backups.selectors.clock import database_now
from backups.services.execution.create import create_execution
from backups.services.execution.events import the_worker
from backups.services.ledger import record_event
from backups.services.project import target_of_branch
from backups.services.restore.errors import InvalidInput, Refused
from backups.services.restore.governed import refusals_recorded
from backups.services.restore.input import time_errors

#: How long the copy stays.
LIFE = dt.timedelta(hours=1)
#: A look that could not be opened by then has failed; it may have waited for a production restore.
GIVES_UP_AFTER = dt.timedelta(minutes=20)


def open_look(*, actor: Actor, branch_id: int, point: RestorePoint, reason: str = "") -> Look:
    """Has the worker open a copy at that moment. No approval: nothing is changed. Raises Refused, InvalidInput."""
    branch = ProtectedBranch.objects.select_related("project").get(pk=branch_id)
    with refusals_recorded(actor=actor, target=target_of_branch(branch)):
        if actor.user_id is None or not actor.may(Capability.TAKE_LOOK):
            raise Refused(action=None, code="look_not_allowed", sentence="Your role does not let you take a look.")
        now = database_now()
        _check(point, branch, now)
        look = Look.objects.create(
            branch=branch,
            point_kind=point.kind.value,
            point_at=whole_milliseconds(point.at) if point.at else None,
            point_lsn=point.lsn,
            person_id=actor.user_id,
            person_name=actor.name,
            expires_at=now + LIFE,
        )
        record_look(look, "look.requested", actor, _point_details(point), text=reason)
        create_execution(
            purpose=Purpose.LOOK,
            project=branch.project,
            branch=branch,
            look=look,
            step=Step.COPY,
            deadline_at=now + GIVES_UP_AFTER,
            actor=actor,
        )
        return look


def note_viewed(*, actor: Actor, look_id: int) -> None:
    """Somebody read the result; reading what production held is worth a record."""
    with transaction.atomic():
        record_look(_locked(look_id), "look.viewed", actor)


def close_look(*, actor: Actor, look_id: int) -> Look:
    """Ends a look early; its copy is removed soon after. Harmless when it is closed already. Raises Refused."""
    branch = ProtectedBranch.objects.select_related("project").get(looks=look_id)
    with refusals_recorded(actor=actor, target=target_of_branch(branch)):
        if not actor.may(Capability.TAKE_LOOK):
            raise Refused(action=None, code="look_not_allowed", sentence="Your role does not let you close a look.")
        look = _locked(look_id)
        if look.state != LookState.CLOSED:
            _close(look)
            record_look(look, "look.closed", actor)
        return look


def close_due_looks() -> int:
    """Closes looks whose time is over; returns how many. Harmless to run at any time."""
    due = Look.objects.filter(expires_at__lte=database_now()).exclude(state=LookState.CLOSED)
    return sum(_close_when_due(pk) for pk in due.values_list("pk", flat=True)[:100])


def look_is_ready(*, look_id: int, facts: dict[str, object], duration_milliseconds: int, tables: list[str]) -> None:
    """The copy answered; in the caller's transaction. A look closed meanwhile stays closed."""
    look = _locked(look_id)
    if look.state != LookState.OPENING:
        return
    look.state, look.facts, look.ready_at = LookState.READY, facts, database_now()
    look.save(update_fields=["state", "facts", "ready_at"])
    details: dict[str, Detail] = {
        "duration_ms": duration_milliseconds,
        "tables": tables[:500],
        "expires_at": look.expires_at,
    }
    record_look(look, "look.ready", None, details)


def look_has_failed(*, look_id: int, code: str, sentence: str) -> None:
    """No copy came; in the caller's transaction."""
    look = _locked(look_id)
    if look.state != LookState.OPENING:
        return
    look.state, look.problem = LookState.FAILED, sentence[:400]
    look.save(update_fields=["state", "problem"])
    record_look(look, "look.failed", None, {"error": code})


def record_look(
    look: Look, type: str, actor: Actor | None, details: dict[str, Detail] | None = None, *, text: str = ""
) -> None:
    """An event about a look, in the caller's transaction; without an actor it is the worker's."""
    branch = look.branch
    record_event(
        type=type,
        actor=actor or the_worker(),
        target=Target(
            kind="look",
            id=str(look),
            project=branch.project.neon_project_id,
            branch=branch.neon_branch_id,
            environment=branch.environment.value,
        ),
        details=details or {},
        text=text,
        sandbox=branch.project.is_sandbox,
        correlation=str(look),
    )


def _check(point: RestorePoint, branch: ProtectedBranch, now: dt.datetime) -> None:
    if branch.missing_since is not None:
        raise InvalidInput({"branch": "Neon no longer has this branch. Run the connection check of its project."})
    if point.kind is PointKind.HEAD:
        raise InvalidInput({"point": "Say at which time or log position to look."})
    errors = time_errors(point.at, branch=branch, now=now)
    if errors:
        raise InvalidInput(errors)


def _point_details(point: RestorePoint) -> dict[str, Detail]:
    details: dict[str, Detail] = {"point_kind": point.kind.value}
    if point.at is not None:
        details["point_time"] = point.at
    if point.lsn:
        details["point_lsn"] = point.lsn.upper()
    return details


def _locked(look_id: int) -> Look:
    return Look.objects.select_for_update(of=("self",)).select_related("branch__project").get(pk=look_id)


def _close_when_due(look_id: int) -> bool:
    with transaction.atomic():
        look = _locked(look_id)
        if look.state == LookState.CLOSED or look.expires_at > database_now():
            return False
        _close(look)
        return True


def _close(look: Look) -> None:
    """The copy itself is removed by the clean-up, or by Neon at its expiry."""
    look.state = LookState.CLOSED
    look.save(update_fields=["state"])
    Execution.objects.filter(look=look, purpose=Purpose.LOOK, state=ExecutionState.ACTIVE).update(
        state=ExecutionState.FINISHED,
        # A worker that is still at it can no longer write its result.
        fence=F("fence") + 1,
        lease_until=None,
        next_attempt_at=None,
        outcome_code="closed",
        finished_at=database_now(),
    )
