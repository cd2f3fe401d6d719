"""Seal before act: no order that overwrites data goes out before its approvals lie under a checkpoint kept elsewhere.

What has not been sealed can still be taken out of the database unnoticed; after the act nobody could tell any more who
agreed to it.
"""

from __future__ import annotations

import datetime as dt
import time

from django.conf import settings
from django.db import connection

from backups.domain.monitor import Severity
from backups.domain.notification import Topic
from backups.domain.people import Role
from backups.domain.policy import Environment
from backups.domain.restore import RequestState, RestoreKind
from backups.models import Execution, RestoreRequest
from backups.models.database_rules import SEAL_CHANNEL, SEALED_AT_ONCE
from backups.models.ledger import LedgerEvent
from backups.selectors.clock import database_now
from backups.selectors.sealing import open_refusals, unsealed_among
from backups.services.execution.context import StepContext
from backups.services.execution.events import the_worker
from backups.services.execution.results import Again, Commit
from backups.services.notification.alert import alert
from backups.services.notification.tell import subject_of
from backups.services.restore.transition import lock_request, record_on

_IN_STEP_SECONDS = 2.0
_POLL_SECONDS = 0.015
_AGAIN_SECONDS = 0.5
_FROZEN_AGAIN_SECONDS = 5.0

_AGREED_DELETION = ("removal.asked", "removal.confirmed")

WAITING_FOR_SEAL = "the approvals to be sealed, and kept outside of the database"
WAITING_FOR_PERSON = "a person: the approvals are not sealed. A manager can let it go on without, or somebody mends it"
FROZEN = "the ledger: the sealer refuses to sign"


def wait_for_seal(context: StepContext) -> Again | None:
    """None when the order may go out. It waits at most for as long as the request may be started."""
    request = context.request
    if not settings.SEAL_BEFORE_ACT or not RestoreKind(request.kind).overwrites:
        return None
    if request.state != RequestState.APPROVED:
        return None  # an order went out before, so the approvals were sealed then
    return _frozen(request) or _unsealed(context)


def deletion_waits_for_seal(*, kind: str, target_id: str) -> Again | None:
    """The same for deleting what is kept, on which two people agreed. It has no haste, so nobody can waive it."""
    if not settings.SEAL_BEFORE_ACT:
        return None
    agreed = LedgerEvent.objects.filter(target_kind=kind, target_id=target_id, type__in=_AGREED_DELETION)
    if not unsealed_among(agreed.values_list("pk", flat=True)):
        return None
    _wake_sealer()
    sentence = "That two people agreed is not sealed yet. Nothing was sent to Neon."
    return Again(after_seconds=_FROZEN_AGAIN_SECONDS, waiting_for=WAITING_FOR_SEAL, sentence=sentence)


def _frozen(request: RestoreRequest) -> Again | None:
    refusal = open_refusals().first()
    if refusal is None or request.branch.environment is not Environment.PRODUCTION:
        return None
    sentence = f"Production is not restored while this is open. {refusal.sentence} Nothing was sent to Neon."
    return Again(after_seconds=_FROZEN_AGAIN_SECONDS, waiting_for=FROZEN, sentence=sentence)


def _unsealed(context: StepContext) -> Again | None:
    run = context.execution
    if run.seal_waived_by_name or _sealed_soon(context):
        return None
    now = database_now()
    since = dt.datetime.fromisoformat(context.memory.get("seal_since", now.isoformat()))
    waited_seconds = (now - since).total_seconds()
    if waited_seconds < settings.SEAL_WAIT_SECONDS:
        return Again(
            after_seconds=_AGAIN_SECONDS,
            waiting_for=WAITING_FOR_SEAL,
            sentence="The approvals are not sealed yet. Nothing was sent to Neon.",
            memory={"seal_since": since.isoformat()},
        )
    return Again(
        after_seconds=_AGAIN_SECONDS,
        waiting_for=WAITING_FOR_PERSON,
        sentence=f"The approvals were not sealed within {settings.SEAL_WAIT_SECONDS:g} s. Nothing was sent to Neon.",
        memory={"seal_since": since.isoformat(), "seal_asked": True},
        commit=None if context.memory.get("seal_asked") else _ask_a_person(request_id=context.request.pk),
    )


def _sealed_soon(context: StepContext) -> bool:
    """Looks a few times within this step: the sealer is woken and takes some hundredths of a second."""
    events = list(
        LedgerEvent.objects.filter(
            target_kind="restore_request", target_id=context.request.reference, type__in=SEALED_AT_ONCE
        ).values_list("pk", flat=True)
    )
    ends_at = min(time.monotonic() + _IN_STEP_SECONDS, context.ends_at)
    woken = False
    while unsealed_among(events):
        if not woken:
            _wake_sealer()
            woken = True
        if "seal_since" in context.memory or time.monotonic() >= ends_at:
            return False
        time.sleep(_POLL_SECONDS)
    return bool(events)


def _wake_sealer() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {SEAL_CHANNEL}")


def _ask_a_person(*, request_id: int) -> Commit:
    def commit(run: Execution) -> None:
        request = lock_request(request_id)
        record_on(request, type="request.seal_missing", actor=the_worker(), details={"execution": f"X-{run.pk}"})
        alert(
            topic=Topic.SYSTEM_TROUBLE,
            subject=subject_of(request),
            severity=Severity.CRITICAL,
            text=f"{request.reference} is approved and waits: its approvals are not sealed. A manager has to decide.",
            link_path=f"/restores/{request.pk}/",
            roles=[Role.MANAGER, Role.ENGINEER],
            occasion=f"seal:{run.pk}",
        )

    return commit
