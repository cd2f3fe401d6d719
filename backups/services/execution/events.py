"""Events of a run, each about the thing that the run serves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from backups.domain.correlation import current_request_id
from backups.domain.ledger import Outcome, Target
from backups.domain.people import Actor, worker_actor
from backups.ledger.fields import Detail
from backups.models import Execution
from backups.services.ledger import record_event


def the_worker() -> Actor:
    """The actor of everything that a task does."""
    return worker_actor(request_id=current_request_id())


def target_of_run(execution: Execution) -> Target:
    """The request, look, drill or branch that the run serves, as the target of an event."""
    kind, name = _served(execution)
    branch = execution.branch
    return Target(
        kind=kind,
        id=name,
        project=execution.project.neon_project_id,
        branch=branch.neon_branch_id if branch else "",
        environment=branch.environment.value if branch else "",
    )


def correlation_of(execution: Execution) -> str:
    """What ties the run's events and calls together: the reference of request, look or drill."""
    return _served(execution)[1]


def record_run(
    execution: Execution,
    *,
    type: str,
    actor: Actor | None = None,
    details: Mapping[str, Detail] | None = None,
    outcome: Outcome = Outcome.SUCCESS,
    occurred_at: dt.datetime | None = None,
) -> None:
    """Writes one event of the run in the open transaction."""
    facts: dict[str, Detail] = {"execution": str(execution.pk), "kind": execution.purpose}
    if execution.request is not None:
        facts["request"] = execution.request.reference
    if execution.drill is not None:
        facts["drill"] = execution.drill.reference
    record_event(
        type=type,
        actor=actor or the_worker(),
        target=target_of_run(execution),
        outcome=outcome,
        details=facts | dict(details or {}),
        sandbox=execution.project.is_sandbox,
        correlation=correlation_of(execution),
        occurred_at=occurred_at,
    )


def _served(execution: Execution) -> tuple[str, str]:
    if execution.request is not None:
        return "restore_request", execution.request.reference
    if execution.look is not None:
        return "look", str(execution.look)
    if execution.drill is not None:
        return "drill", execution.drill.reference
    if execution.safety_copy is not None:
        return "safety_copy", execution.safety_copy.reference
    return "execution", str(execution.pk)
