"""The way to Neon for everything in services: key, deadlines, and an event for each call."""

from __future__ import annotations

from django.conf import settings
from django.db import connection, transaction

from backups.domain.ledger import Outcome, Target
from backups.ledger.fields import Detail
from backups.models import Execution, Project
from backups.neon.calls import CallRecord, HoldBack, OnCall
from backups.neon.client import NeonClient
from backups.neon.deadline import Deadlines
from backups.neon.secret import Secret
from backups.services.execution.events import target_of_run, the_worker
from backups.services.ledger import record_event
from backups.services.secrets import api_key_of

_OUTCOMES = {
    "done": Outcome.SUCCESS,
    "retry": Outcome.FAILURE,
    "later": Outcome.FAILURE,
    "stop": Outcome.FAILURE,
    "look_up": Outcome.UNKNOWN,
}


class CallInsideTransaction(RuntimeError):
    """A call to Neon was about to be made while rows were locked. It was not sent."""


def refuse_inside_transaction() -> None:
    """Raises CallInsideTransaction when a transaction is open; the one around a test does not count.

    A slow answer would hold locks for seconds, and a rollback could forget a call that Neon has carried out.
    """
    blocks = [block for block in connection.atomic_blocks if not getattr(block, "_from_testcase", False)]
    if blocks:
        raise CallInsideTransaction("Neon is called between transactions, never inside one. Nothing was sent.")


def client_for(
    project: Project, *, correlation: str, execution: Execution | None = None, hold_back: HoldBack | None = None
) -> NeonClient:
    """A client with the project's key; the caller closes it. Raises SecretUnreadable, CallInsideTransaction."""
    return client_with_key(
        project, api_key_of(project), correlation=correlation, execution=execution, hold_back=hold_back
    )


def client_with_key(
    project: Project,
    api_key: Secret,
    *,
    correlation: str,
    execution: Execution | None = None,
    hold_back: HoldBack | None = None,
) -> NeonClient:
    """The same with a key that is not stored yet; the project's row may not be saved yet either."""
    refuse_inside_transaction()
    total = settings.NEON_CALL_DEADLINE_SECONDS
    return NeonClient(
        api_key,
        base_url=project.api_host,
        deadlines=Deadlines(connect_seconds=min(5.0, total), read_seconds=total, total_seconds=total),
        on_call=_recorder(project, correlation, execution),
        hold_back=hold_back,
    )


def _recorder(project: Project, correlation: str, execution: Execution | None) -> OnCall:
    target = (
        target_of_run(execution)
        if execution is not None
        else Target(kind="project", id=project.neon_project_id, project=project.neon_project_id)
    )

    def record(call: CallRecord) -> None:
        with transaction.atomic():
            record_event(
                type="neon.call",
                actor=the_worker(),
                target=target,
                outcome=_OUTCOMES.get(call.outcome, Outcome.UNKNOWN),
                details=_details(call, execution),
                sandbox=project.is_sandbox,
                correlation=correlation,
            )

    return record


def _details(call: CallRecord, execution: Execution | None) -> dict[str, Detail]:
    details: dict[str, Detail] = {
        "method": call.method,
        "path": call.path,
        "call_id": call.request_id,
        "duration_ms": round(call.duration_seconds * 1000),
        "effect": call.outcome,
    }
    if call.status is not None:
        details["status"] = call.status
    if execution is not None:
        details["execution"] = str(execution.pk)
        details["step_name"] = execution.step
        if execution.request is not None:
            details["request"] = execution.request.reference
        if execution.drill is not None:
            details["drill"] = execution.drill.reference
    return details
