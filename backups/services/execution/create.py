"""Makes a run and its first task, in the transaction of whoever asks for it."""

from __future__ import annotations

import datetime as dt

from backups.domain.execution import Purpose, Step
from backups.domain.people import Actor, worker_actor
from backups.models import (
    Drill,
    Execution,
    Look,
    OwnedBranch,
    PlanProposal,
    Project,
    ProtectedBranch,
    RestoreRequest,
    SafetyCopy,
)
from backups.services.execution.events import record_run
from backups.services.execution.queue import enqueue


def create_execution(
    *,
    purpose: Purpose,
    project: Project,
    step: Step,
    branch: ProtectedBranch | None = None,
    request: RestoreRequest | None = None,
    look: Look | None = None,
    drill: Drill | None = None,
    safety_copy: SafetyCopy | None = None,
    plan_proposal: PlanProposal | None = None,
    owned_branch: OwnedBranch | None = None,
    revision: int = 0,
    deadline_at: dt.datetime | None = None,
    actor: Actor | None = None,
) -> Execution:
    """Inserts the run and enqueues it. The caller has a transaction open and holds the request's lock.

    Raises IntegrityError when another run of this kind stands in the way (one restore per branch, and so on).
    """
    execution = Execution.objects.create(
        purpose=purpose.value,
        step=step.value,
        project=project,
        branch=branch,
        request=request,
        look=look,
        drill=drill,
        safety_copy=safety_copy,
        plan_proposal=plan_proposal,
        owned_branch=owned_branch,
        revision=revision,
        deadline_at=deadline_at,
    )
    record_run(execution, type="execution.created", actor=actor or worker_actor(), details={"step_name": step.value})
    enqueue(execution.pk)
    return execution
