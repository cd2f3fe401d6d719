"""A new revision: votes lapse, runs end, and the worker gathers the facts again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db.models import F

from backups.domain.execution import BLOCKING, ExecutionState, Purpose, Step
from backups.domain.people import Actor
from backups.domain.restore import Verb
from backups.ledger.fields import Detail
from backups.models import Execution, LedgerEvent, RestoreRequest, Vote
from backups.selectors.policy import policy_in_force
from backups.services.execution.create import create_execution
from backups.services.restore.transition import change_state

#: What belongs to one revision and must not outlive it.
_FRESH: dict[str, Any] = {
    "packet": None,
    "observed_now": None,
    "observed_now_asked_at": None,
    "votes_until": None,
    "approved_at": None,
    "start_until": None,
    "start_asked_at": None,
    "start_asked_by": None,
    "start_asked_by_name": "",
    "discarded_minutes_confirmed": None,
    "outcome_code": "",
    "outcome_sentence": "",
}


def prepare_revision(
    request: RestoreRequest,
    *,
    verb: Verb,
    actor: Actor,
    now: dt.datetime,
    text: str = "",
    details: Mapping[str, Detail] | None = None,
    sentence: str = "",
) -> LedgerEvent:
    """Moves the locked request to `preparing` under a new revision and starts the run that gathers its facts."""
    previous = _previous_facts(request) if verb in {Verb.EDIT, Verb.DRIFT} else {}
    end_runs(request, outcome_code="superseded", now=now)
    fields = _FRESH | {"revision": request.revision + 1, "submitted_at": request.submitted_at or now}
    event = change_state(
        request,
        verb=verb,
        actor=actor,
        now=now,
        sentence=sentence,
        text=text,
        details=previous | dict(details or {}),
        fields=fields,
    )
    create_execution(
        purpose=Purpose.PREPARE,
        request=request,
        project=request.branch.project,
        branch=request.branch,
        revision=request.revision,
        deadline_at=now + dt.timedelta(seconds=policy_in_force().preparation_seconds),
        step=Step.FACTS,
    )
    return event


def _previous_facts(request: RestoreRequest) -> dict[str, Detail]:
    if request.packet is None:
        return {"votes_voided": 0}
    voided = Vote.objects.filter(packet=request.packet, taken_back_at__isnull=True).count()
    return {"votes_voided": voided, "previous_digest": request.packet.digest}


def end_runs(request: RestoreRequest, *, outcome_code: str, now: dt.datetime) -> None:
    """Ends what is still running for the request; the raised fence makes a worker's late result count for nothing."""
    Execution.objects.filter(
        request=request,
        purpose__in=[Purpose.PREPARE, Purpose.RESTORE],
        state__in=[state.value for state in BLOCKING],
    ).update(
        state=ExecutionState.FINISHED,
        fence=F("fence") + 1,
        lease_until=None,
        next_attempt_at=None,
        outcome_code=outcome_code,
        finished_at=now,
    )
