"""Copies that the portal makes to read from: asked for at most once, owned from before the call, gone by themselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from backups.domain.execution import BranchFate, BranchPurpose, IntentKind
from backups.domain.restore import PointKind, RestorePoint
from backups.models import Drill, Execution, Intent, Look, OwnedBranch, RestoreRequest, SafetyCopy
from backups.neon.branches import NewEndpoint
from backups.neon.results import BranchChange, EndpointChange, Progress
from backups.neon.types import Branch
from backups.selectors.clock import database_now
from backups.services.database_access import addresses_of
from backups.services.execution.claim import hold_run
from backups.services.execution.context import StepContext
from backups.services.execution.intents import (
    Applied,
    Change,
    Found,
    IntentResult,
    LookUp,
    Refused,
    Unclear,
    Waiting,
    with_intent,
)
from backups.services.execution.lookups import look_up_created, look_up_endpoint
from backups.verification import Dsn

#: Neon keeps a branch with an expiry for 30 days at most.
LONGEST_LIFE = dt.timedelta(days=30)
#: A copy nobody reads from stops to cost after this time; its next reader wakes it.
SUSPEND_AFTER_SECONDS = 300


class CopyFailed(Exception):
    """Neon took the order and did not finish it. Nothing was changed on the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlan:
    """Which copy is wanted, whose it is and when Neon removes it by itself.

    `compute_units`: the size of the copy's compute; None leaves it to the project's default.
    `source_branch_id` of a copy of a snapshot is the branch that the snapshot is to replace. Such a copy has no
    expiry: Neon takes none with this call, and one that may become the branch itself must never carry a date on
    which it is deleted. The portal removes it when its request has ended.
    """

    name: str
    source_branch_id: str
    point: RestorePoint
    purpose: BranchPurpose
    owner_name: str
    expires_at: dt.datetime | None
    annotation: Mapping[str, str]
    request: RestoreRequest | None = None
    look: Look | None = None
    safety_copy: SafetyCopy | None = None
    with_compute: bool = True
    drill: Drill | None = None
    compute_units: float | None = None

    @property
    def snapshot_id(self) -> str:
        """The snapshot that the copy is made of; empty for a copy of a branch's history."""
        return self.point.snapshot_id


@dataclass(slots=True)
class Copy:
    """A copy that Neon has accepted. `operation_ids` must be done before anybody can connect."""

    branch_id: str
    operation_ids: list[str] = field(default_factory=list)
    asked_at: str = ""

    def to_json(self) -> dict[str, Any]:
        """For the run's memory."""
        return {"branch_id": self.branch_id, "operation_ids": self.operation_ids, "asked_at": self.asked_at}

    def seconds_since_asked(self, now: dt.datetime) -> float:
        """How long ago the order went out."""
        return (now - dt.datetime.fromisoformat(self.asked_at)).total_seconds()


def ask_for_copy(
    context: StepContext, plan: CopyPlan, *, before_commit: Callable[[Execution], None] | None = None
) -> tuple[IntentResult, Copy | None]:
    """Has Neon make the copy, once. The copy is None while it is not known to have been accepted.

    `before_commit` runs in the transaction of the intent, before anything is sent; what it raises keeps it so.
    """
    answered: list[Branch] = []

    def send(intent: Intent) -> BranchChange:
        change = _create(context, plan, intent)
        answered.extend([change.branch] if change.branch else [])
        return change

    def own_first(run: Execution) -> None:
        if before_commit is not None:
            before_commit(run)
        _own(plan, run)

    change = Change(
        kind=IntentKind.CREATE_BRANCH,
        name=plan.name,
        target_branch_id=plan.source_branch_id,
        facts=_facts(plan),
        send=send,
        look_up=lambda intent: _look_up(context, intent),
        before_commit=own_first,
    )
    result = with_intent(context, change)
    if not isinstance(result, Applied):
        return result, None
    branch = answered[0] if answered else context.client.branches.find_by_name(context.project_id, plan.name)
    if branch is None:
        raise CopyFailed(f"Neon accepted the copy {plan.name} and does not show it.")
    intent = result.intent
    return result, Copy(branch.id, list(intent.operation_ids), intent.created_at.isoformat())


def note_present(execution: Execution, copy: Copy, name: str) -> None:
    """Writes the copy's id down; for the commit of the step that asked for it."""
    OwnedBranch.objects.filter(project=execution.project, name=name, fate=BranchFate.INTENDED).update(
        neon_branch_id=copy.branch_id, fate=BranchFate.PRESENT
    )


def is_ready(context: StepContext, copy: Copy, *, seconds: float) -> bool:
    """Waits up to `seconds` for Neon's operations on the copy. Raises CopyFailed, NeonError."""
    state = context.client.operations.wait_for(
        context.project_id, copy.operation_ids, deadline_seconds=max(0.0, min(seconds, context.remaining_seconds()))
    )
    if state.progress is Progress.FAILED:
        raise CopyFailed(f"Neon could not make the copy ({state.failed[0].action} {state.failed[0].status}).")
    return state.progress is Progress.DONE


def note_gone(context: StepContext, owned: OwnedBranch) -> None:
    """Neon has it no more, so another one may have its name. Raises FencedOff."""
    with transaction.atomic():
        hold_run(context.claim)
        OwnedBranch.objects.filter(pk=owned.pk).update(fate=BranchFate.GONE, gone_at=database_now())


def seconds_until_usable(context: StepContext, copy: Copy, plan: CopyPlan, *, seconds: float) -> float | None:
    """None when the copy is made and has a compute; else in how many seconds to ask again. Waits up to `seconds`.

    Raises CopyFailed, NeonError.
    """
    if not is_ready(context, copy, seconds=seconds):
        return 0.0
    result = _give_compute(context, copy, plan.name) if plan.snapshot_id else None
    if result is None:
        return None
    if isinstance(result, Applied):
        return 0.0
    if isinstance(result, Waiting):
        return result.after_seconds
    if isinstance(result, Refused) and result.retry_after_seconds is not None:
        return result.retry_after_seconds
    raise CopyFailed(f"The copy {plan.name} has no compute. {result.sentence}")


def addresses(context: StepContext, branch_id: str) -> dict[str, Dsn]:
    """A connection string for each database of the branch, in order of name. Raises NeonError."""
    return addresses_of(context.client, context.execution.project, neon_branch_id=branch_id)


def expiry(wanted: dt.timedelta) -> dt.datetime:
    """That far from now, by the database's clock, in whole seconds, and never longer than Neon allows."""
    return (database_now() + min(wanted, LONGEST_LIFE)).replace(microsecond=0)


def _give_compute(context: StepContext, copy: Copy, name: str) -> IntentResult | None:
    """Has Neon make a compute for a copy that has none, once; None when it has one. Raises NeonError.

    A copy of a snapshot comes without one where Neon finds that nobody needs it.
    """
    client, project_id = context.client, context.project_id
    if client.endpoints.list_for_branch(project_id, copy.branch_id):
        return None

    def send(intent: Intent) -> EndpointChange:
        return context.client.endpoints.create(
            project_id,
            branch_id=copy.branch_id,
            endpoint=NewEndpoint(suspend_timeout_seconds=SUSPEND_AFTER_SECONDS),
            request_id=str(intent.http_request_id),
        )

    change = Change(
        kind=IntentKind.CREATE_ENDPOINT,
        name=name,
        target_branch_id=copy.branch_id,
        send=send,
        look_up=look_up_endpoint(context),
    )
    return with_intent(context, change)


def _facts(plan: CopyPlan) -> dict[str, Any]:
    """What the look-up recognises this very order by."""
    facts: dict[str, Any] = {"point": str(plan.point)}
    if plan.snapshot_id:
        facts["snapshot"] = plan.snapshot_id
    if plan.expires_at is not None:
        facts["expires_at"] = plan.expires_at.isoformat()
    return facts


def _create(context: StepContext, plan: CopyPlan, intent: Intent) -> BranchChange:
    point = plan.point
    if plan.snapshot_id:
        return context.client.snapshots.restore(
            context.project_id,
            plan.snapshot_id,
            name=plan.name,
            target_branch_id=plan.source_branch_id,
            finalize=False,
            request_id=str(intent.http_request_id),
        )
    return context.client.branches.create(
        context.project_id,
        name=plan.name,
        parent_id=plan.source_branch_id,
        parent_timestamp=point.at if point.kind is PointKind.TIMESTAMP else None,
        parent_lsn=point.lsn if point.kind is PointKind.LSN else None,
        endpoint=_compute(plan),
        expires_at=plan.expires_at,
        annotation=plan.annotation,
        request_id=str(intent.http_request_id),
    )


def _compute(plan: CopyPlan) -> NewEndpoint | None:
    if not plan.with_compute:
        return None
    return NewEndpoint(
        autoscaling_limit_min_cu=plan.compute_units,
        autoscaling_limit_max_cu=plan.compute_units,
        suspend_timeout_seconds=SUSPEND_AFTER_SECONDS,
    )


def _look_up(context: StepContext, intent: Intent) -> LookUp:
    """By the name, and by what only this order asked for: a namesake would show another moment as the restore point."""
    found = look_up_created(context)(intent)
    if not isinstance(found, Found):
        return found
    branch = context.client.branches.get(context.project_id, found.facts["branch_id"])
    expires_at = intent.facts.get("expires_at")
    if is_of_order(
        branch, dt.datetime.fromisoformat(expires_at) if expires_at else None, intent.facts.get("snapshot", "")
    ):
        return found
    return Unclear(f"A branch named {intent.name} exists that this order did not make.")


def is_of_order(branch: Branch, expires_at: dt.datetime | None, snapshot_id: str = "") -> bool:
    """Whether the branch came of the snapshot, or has the expiry, that was asked for.

    Nobody else's branch of that name would have it.
    """
    if snapshot_id:
        return branch.restored_from == snapshot_id
    return expires_at is not None and branch.expires_at == expires_at


def _own(plan: CopyPlan, run: Execution) -> None:
    """In the transaction of the intent: nothing that the portal makes at Neon is ever without an owner."""
    owned, _ = OwnedBranch.objects.exclude(fate=BranchFate.GONE).get_or_create(
        project=run.project,
        name=plan.name,
        defaults={
            "purpose": plan.purpose.value,
            "owner_name": plan.owner_name,
            "expires_at": plan.expires_at,
            "request": plan.request,
            "look": plan.look,
            "safety_copy": plan.safety_copy,
            "drill": plan.drill,
        },
    )
    if owned.expires_at != plan.expires_at:
        owned.expires_at = plan.expires_at
        owned.save(update_fields=["expires_at"])
