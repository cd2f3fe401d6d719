"""What became of a call whose answer was lost: read from Neon, never guessed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.conf import settings

from backups.models import Intent
from backups.neon.client import NeonClient
from backups.neon.errors import NeonNotFound
from backups.neon.types import FINALLY_FAILED, PERHAPS_FAILED, Branch, Operation
from backups.neon.wire import parse_time
from backups.services.execution.context import StepContext
from backups.services.execution.intents import Absent, Busy, Found, LookUp, Unclear

#: Neon's clock and the portal's may differ by this much when operations are asked for by time.
_CLOCK_ALLOWANCE = dt.timedelta(minutes=15)


def recent_operations(context: StepContext, *, since: dt.datetime) -> tuple[Operation, ...]:
    """The project's operations since then, newest first, and some from just before."""
    return context.client.operations.list_since(context.project_id, since - _CLOCK_ALLOWANCE)


def unfinished(operations: Iterable[Operation]) -> list[Operation]:
    """Those that Neon is still working on, as far as its words tell."""
    ended = FINALLY_FAILED | {PERHAPS_FAILED}
    return [each for each in operations if not each.succeeded and each.status not in ended]


def facts_before(branch: Branch, operations: Iterable[Operation]) -> dict[str, Any]:
    """What an intent remembers of the moment before its call, so that its effect can be told from older ones."""
    return {
        "last_reset_at": branch.last_reset_at.isoformat() if branch.last_reset_at else None,
        "known_operations": [operation.id for operation in operations],
    }


def look_up_restore(context: StepContext, target_branch_id: str) -> Callable[[Intent], LookUp]:
    """The look-up of an overwrite: our name for the state before must exist and the target must have been reset."""

    def look_up(intent: Intent) -> LookUp:
        client = context.client
        branches = client.branches.list(context.project_id)
        operations = recent_operations(context, since=intent.created_at)
        target = next((branch for branch in branches if branch.id == target_branch_id), None)
        kept = next((branch for branch in branches if branch.name == intent.name), None)
        return judge_restore(intent.facts, target=target, kept=kept, operations=operations)

    return look_up


def judge_restore(
    facts: Mapping[str, Any], *, target: Branch | None, kept: Branch | None, operations: Iterable[Operation]
) -> LookUp:
    """Name, reset time and operations must tell the same story; anything else is not decided here."""
    if target is None:
        return Unclear("The branch is not at Neon any more.")
    news = fresh(facts, operations)
    was_reset = target.last_reset_at != _time(facts.get("last_reset_at"))
    # Neon counts resets in whole seconds, so right after an earlier one only its operations tell.
    was_worked_on = any(operation.branch_id == target.id for operation in news)
    if kept is not None and (was_reset or was_worked_on):
        ours = [operation.id for operation in news if operation.branch_id in {target.id, kept.id}]
        return Found(tuple(ours), {"preserved_branch_id": kept.id})
    if may_still_act(news):
        return Busy("Neon is still working on something in this project.")
    if kept is not None:
        return Unclear(f"A branch named {kept.name} exists, but the branch was not reset.")
    if was_reset:
        return Unclear("The branch was reset, but the state before is not kept under the agreed name.")
    return Absent()


def look_up_created(context: StepContext) -> Callable[[Intent], LookUp]:
    """The look-up of a new branch, by the name that was chosen for it."""

    def look_up(intent: Intent) -> LookUp:
        found = context.client.branches.find_by_name(context.project_id, intent.name)
        if found is not None:
            operations = recent_operations(context, since=intent.created_at)
            ours = tuple(operation.id for operation in operations if operation.branch_id == found.id)
            return Found(ours, {"branch_id": found.id})
        under_way = may_still_act(fresh(intent.facts, recent_operations(context, since=intent.created_at)))
        return Busy("Neon is still working on something in this project.") if under_way else Absent()

    return look_up


def look_up_endpoint(context: StepContext) -> Callable[[Intent], LookUp]:
    """The look-up of a new compute: the branch has one."""

    def look_up(intent: Intent) -> LookUp:
        try:
            endpoints = context.client.endpoints.list_for_branch(context.project_id, intent.target_branch_id)
        except NeonNotFound:
            return Unclear("The branch is not at Neon any more.")
        if endpoints:
            return Found()
        operations = recent_operations(context, since=intent.created_at)
        ours = [operation for operation in operations if operation.branch_id == intent.target_branch_id]
        return Busy("Neon is still working on this branch.") if may_still_act(ours) else Absent()

    return look_up


def look_up_updated(context: StepContext) -> Callable[[Intent], LookUp]:
    """The look-up of a change of a branch's name: the branch carries it."""

    def look_up(intent: Intent) -> LookUp:
        try:
            branch = context.client.branches.get(context.project_id, intent.target_branch_id)
        except NeonNotFound:
            return Unclear("The branch is not at Neon any more.")
        return Found() if branch.name == intent.name else Absent()

    return look_up


def look_up_deleted(context: StepContext) -> Callable[[Intent], LookUp]:
    """The look-up of a deletion: the branch is not there any more."""

    def look_up(intent: Intent) -> LookUp:
        return Absent() if branch_exists(context.client, context.project_id, intent.target_branch_id) else Found()

    return look_up


def branch_exists(client: NeonClient, project_id: str, branch_id: str) -> bool:
    """Whether Neon knows the branch. Raises NeonError when it can't be asked."""
    try:
        client.branches.get(project_id, branch_id)
    except NeonNotFound:
        return False
    return True


def may_still_act(operations: Iterable[Operation]) -> bool:
    """Unlike `unfinished`: what Neon calls failed may be tried again by itself, so it counts until a grace is over."""
    now, grace = dt.datetime.now(dt.UTC), settings.EXECUTION_FAILED_GRACE_SECONDS
    return any(not each.succeeded and not each.has_failed(now=now, grace_seconds=grace) for each in operations)


def fresh(facts: Mapping[str, Any], operations: Iterable[Operation]) -> list[Operation]:
    known = set(facts.get("known_operations", ()))
    return [operation for operation in operations if operation.id not in known]


def _time(text: str | None) -> dt.datetime | None:
    return parse_time(text) if text else None
