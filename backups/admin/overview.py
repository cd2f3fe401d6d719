"""The start page, in the order of the reader's role, and the list of requests."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse

from backups.admin import words
from backups.admin.access import for_people_who_may
from backups.admin.drill.figures import Figure, figures_of
from backups.admin.drill.words import ShownProof, proof_words
from backups.admin.frame import reader_zone_name, render
from backups.admin.monitor.overview import rows as finding_rows
from backups.admin.restore.blocks import deed
from backups.admin.tasks_of import tasks_of
from backups.domain.people import Actor, Capability, Role
from backups.domain.policy import Environment
from backups.domain.restore import RequestState, Urgency
from backups.models import RestoreRequest
from backups.selectors.clock import database_now
from backups.selectors.monitor import outside_changes, situation
from backups.selectors.overview import Recovery, populations, recoveries
from backups.selectors.policy import policy_in_force
from backups.selectors.queue import Queue, approver_count, queue_for
from backups.selectors.sealing import seal_standing

_S = RequestState
_FINDINGS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One request in a list."""

    request: RestoreRequest
    title: str
    state: str
    tone: str
    is_urgent: bool
    environment: Environment
    wants: str


@dataclass(frozen=True, slots=True)
class ShownRecovery:
    """Whether one branch can be brought back, and what the last good drill measured."""

    item: Recovery
    proof: ShownProof
    figures: list[Figure]


@for_people_who_may(Capability.READ_REQUESTS)
def start(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What needs the reader, what runs, and whether we could recover."""
    now = database_now()
    queue = queue_for(actor, with_closed=False)
    tasks = tasks_of(actor, now)
    seen = situation(now)
    context = {
        **_lists(queue, now),
        "today": _today(now, reader_zone_name(request)),
        "needs": len(queue.yours) + len(tasks),
        "tasks": tasks,
        "recoveries": [_shown(each, now) for each in recoveries(now)],
        "situation": seen,
        "findings": finding_rows(seen.findings[:_FINDINGS_SHOWN]),
        "more_findings": max(0, len(seen.findings) - _FINDINGS_SHOWN),
        "seal": seal_standing(),
        "outside_changes": outside_changes(now),
        "approvers": approver_count(),
        "policy": policy_in_force(),
        "is_auditor": Role.AUDITOR in actor.roles,
        "populations": populations() if Role.AUDITOR in actor.roles else None,
        "can_file": actor.may(Capability.FILE_RESTORE),
        "can_look": actor.may(Capability.TAKE_LOOK),
        "can_drill": actor.may(Capability.RUN_DRILL),
        "can_read_monitor": actor.may(Capability.READ_MONITOR),
        "can_connect": actor.may(Capability.MANAGE_SECRETS),
        "can_read_ledger": actor.may(Capability.READ_LEDGER),
    }
    return render(request, "start.html", context)


@for_people_who_may(Capability.READ_REQUESTS)
def queue(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Every request, with those first that wait for the reader."""
    found = queue_for(actor)
    context = _lists(found, database_now()) | {"can_file": actor.may(Capability.FILE_RESTORE)}
    return render(request, "restore/queue.html", context)


def _today(now: dt.datetime, zone_name: str) -> str:
    """`Sun 22 Nov, 03:21 Berlin · 02:21 UTC`."""
    zone = words.zone_or_utc(zone_name)
    local = now.astimezone(zone)
    said = f"{local:%a} {local.day} {local:%b, %H:%M} {words.zone_word(zone)}"
    return said if words.zone_word(zone) == "UTC" else f"{said} · {now.astimezone(dt.UTC):%H:%M} UTC"


def _shown(recovery: Recovery, now: dt.datetime) -> ShownRecovery:
    figures = figures_of(recovery.last_good) if recovery.last_good else []
    return ShownRecovery(recovery, proof_words(recovery.standing, now), figures)


def _lists(found: Queue, now: dt.datetime) -> dict[str, list[Row]]:
    return {
        "yours": [_row(each, now) for each in found.yours],
        "running": [_row(each, now) for each in found.running],
        "others": [_row(each, now) for each in found.others],
        "closed": [_row(each, now) for each in found.closed],
    }


_WANTS = {
    _S.PENDING: "wants your vote",
    _S.APPROVED: "wants somebody to press Start",
    _S.NEEDS_ATTENTION: "wants a person to decide",
    _S.DRAFT: "wants to be submitted",
}


def _row(request: RestoreRequest, now: dt.datetime) -> Row:
    state = RequestState(request.state)
    return Row(
        request=request,
        title=deed(request, now),
        state=words.STATE[state],
        tone=words.TONE[state],
        is_urgent=request.urgency == Urgency.URGENT and state in _WANTS,
        environment=request.branch.environment,
        wants=_WANTS.get(state, ""),
    )
