"""What was observed for the packet, read again for whoever decides later. It informs and never voids a vote."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping

from django.db import transaction

from backups.domain.people import Actor, Capability
from backups.domain.restore import PointKind, RequestState
from backups.models import RestoreRequest
from backups.neon.client import NeonClient
from backups.neon.errors import NeonError
from backups.selectors.clock import database_now
from backups.selectors.project import meanings_of
from backups.selectors.restore import preview_copy
from backups.services.database_access import addresses_of
from backups.services.execution.queue import put_other_task
from backups.services.neon_access import client_for
from backups.services.observed_facts import Parts, assemble, history_left_seconds, reason_of
from backups.services.restore.errors import Refused
from backups.services.restore.governed import refusals_recorded
from backups.services.restore.transition import lock_request, target_of
from backups.services.secrets import SecretsKeyUnusable, SecretUnreadable
from backups.verification import DatabaseUnreachable, Dsn, OutOfTime, compare_point_with_now, inspect_database

#: Who decides is asked while the request waits; from its start on nothing else may disturb it.
WHILE = frozenset({RequestState.PENDING, RequestState.APPROVED})
#: A reading is shown this long before another one is made.
FRESH_FOR = dt.timedelta(seconds=10)
_SECONDS = 6.0


def ask_for_observed_now(*, actor: Actor, request_id: int) -> bool:
    """Has the worker read it again, unless that was done a moment ago. False: nothing was asked. Raises Refused."""
    request = RestoreRequest.objects.select_related("branch__project").get(pk=request_id)
    with refusals_recorded(actor=actor, target=target_of(request)):
        if not actor.may(Capability.READ_REQUESTS):
            raise Refused(action=None, code="read_not_allowed", sentence="Your role does not let you read requests.")
        request, now = lock_request(request_id), database_now()
        if request.state not in WHILE or request.packet is None or _is_fresh(request.observed_now_asked_at, now):
            return False
        RestoreRequest.objects.filter(pk=request.pk).update(observed_now_asked_at=now)
        put_other_task("refresh_observed", request.pk)
        return True


def read_observed_now(*, request_id: int) -> None:
    """Reads and stores it; leaves quietly when the request has moved on. Harmless in any number of copies."""
    request = RestoreRequest.objects.select_related("branch__project", "packet", "undo_of").get(pk=request_id)
    if request.state not in WHILE or request.packet is None:
        return
    observed = refresh_observed(request)
    with transaction.atomic():
        RestoreRequest.objects.filter(pk=request_id, packet=request.packet).update(observed_now=observed)


def refresh_observed(request: RestoreRequest) -> dict[str, object]:
    """The observed facts as they are now, in the form of the packet's; about six seconds at most.

    The rehearsal and what Neon's API told stay as in the packet. Writes nothing.
    """
    then = request.packet.observed if request.packet else {}
    parts = Parts(rehearsal=then.get("rehearsal"))
    parts.neon = {
        "branch_bytes": None,
        "root_used": then.get("root_branches", {}).get("used"),
        "root_cap": then.get("root_branches", {}).get("cap"),
    }
    try:
        with client_for(request.branch.project, correlation=request.reference) as client:
            _read(client, request, parts)
    except (NeonError, SecretUnreadable, SecretsKeyUnusable) as error:
        parts.miss("tables now", str(error))
    now = database_now()
    parts.neon["history_left_seconds"] = history_left_seconds(request, now=now)
    databases = tuple(request.packet.bound["databases"]) if request.packet else ()
    return dict(assemble(parts, as_of=now, databases=databases, meanings=meanings_of(request.branch)))


def point_time(request: RestoreRequest) -> dt.datetime | None:
    """When the state at the point was; for an undo, when the restore was sent that it takes back."""
    if request.point_kind == PointKind.HEAD:
        return request.undo_of.submitted_to_neon_at if request.undo_of else None
    return request.point.latest_moment()


def _is_fresh(asked_at: dt.datetime | None, now: dt.datetime) -> bool:
    return asked_at is not None and now < asked_at + FRESH_FOR


def _read(client: NeonClient, request: RestoreRequest, parts: Parts) -> None:
    project = request.branch.project
    live = addresses_of(client, project, neon_branch_id=request.branch.neon_branch_id)
    copy = preview_copy(request)
    then = addresses_of(client, project, neon_branch_id=copy.neon_branch_id) if copy else {}
    if copy:
        parts.note_databases(then=set(then), now=set(live))
    ends = time.monotonic() + _SECONDS
    for number, name in enumerate(live):
        share = (ends - time.monotonic()) / (len(live) - number)
        _read_one(request, parts, name, live, then, share)


def _read_one(
    request: RestoreRequest, parts: Parts, name: str, live: Mapping[str, Dsn], then: Mapping[str, Dsn], seconds: float
) -> None:
    if seconds <= 0:
        return
    try:
        parts.live[name] = inspect_database(live[name], budget_seconds=seconds / 3)
        if name in then:
            parts.loss[name] = compare_point_with_now(
                then[name], live[name], point_at=point_time(request), budget_seconds=seconds * 2 / 3
            )
    except (DatabaseUnreachable, OutOfTime) as error:
        parts.miss(f"tables of {name}", reason_of(error))
