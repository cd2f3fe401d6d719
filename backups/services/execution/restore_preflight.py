"""The last look before the call: everything that was voted on must still be so, and Neon must be able to do it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from backups.domain.execution import Step
from backups.domain.packet import drifted
from backups.domain.restore import PointKind, RequestState, RestoreKind
from backups.models import Execution
from backups.neon.errors import AnswerUnusable, NeonForbidden, NeonKeyRejected, NeonNotFound, TryLater
from backups.neon.types import Branch, Operation
from backups.selectors.clock import database_now
from backups.services.bound_facts import read_bound_facts
from backups.services.execution.context import StepContext
from backups.services.execution.intent_records import doubt_refusal
from backups.services.execution.lookups import facts_before, recent_operations, unfinished
from backups.services.execution.restore_common import halt, no_effect, wait_for_neon
from backups.services.execution.restore_snapshot import is_preview_first
from backups.services.execution.results import Advance, Again, Finished, NoEffect, StepResult
from backups.services.execution.seal import wait_for_seal
from backups.services.execution.snapshot_lookups import facts_before_exchange
from backups.services.execution.waits import backoff_seconds, wait_after
from backups.services.restore.packet import void_for_drift
from backups.services.restore.transition import packet_of
from backups.services.restore.window import close_lost_point
from backups.services.snapshot import SnapshotGone


def preflight(context: StepContext) -> StepResult:
    """Compares the world with the packet. Sends nothing that changes anything."""
    if context.request.state not in {RequestState.APPROVED, RequestState.RUNNING}:
        return Finished(outcome_code="not_started", sentence=f"The request is {context.request.state}.")
    if context.execution.stop_asked_by_name:
        return no_effect("stopped", f"Stopped by {context.execution.stop_asked_by_name}. Nothing was sent to Neon.")
    try:
        return wait_for_seal(context) or _look(context)
    except TryLater as error:
        wait = wait_after(error, context.tries)
        return wait_for_neon(context, after_seconds=wait, waiting_for="Neon to answer", sentence=str(error))
    except NeonNotFound as error:
        return no_effect("branch_gone", f"The branch or its source is not at Neon any more. {error.not_done}")
    except SnapshotGone as gone:
        return no_effect("snapshot_gone", f"{gone} Nothing was sent to Neon.")
    except (NeonKeyRejected, NeonForbidden) as error:
        return _ask_again(context, "a usable API key", str(error))
    except AnswerUnusable as error:
        return _ask_again(context, "Neon's answer to be usable", str(error))


def _ask_again(context: StepContext, waiting_for: str, sentence: str) -> StepResult:
    """People can repair this; the request's own clock ends the wait."""
    if context.request.state == RequestState.RUNNING:
        return wait_for_neon(
            context, after_seconds=backoff_seconds(context.tries), waiting_for=waiting_for, sentence=sentence
        )
    return Again(
        after_seconds=backoff_seconds(context.tries),
        waiting_for=waiting_for,
        sentence=sentence,
        memory={"tries": context.tries + 1},
    )


def _look(context: StepContext) -> StepResult:
    branches = context.client.branches.list(context.project_id)
    trace = _trace_of_effect(context, branches)
    if trace:
        return _contradicted(context, trace)
    changed = _changed_since_the_votes(context, branches)
    if changed:
        return _drift(context, changed)
    if not RestoreKind(context.request.kind).overwrites:
        return Advance(to=Step.SUBMIT, sentence="Nothing that was voted on has changed.")
    operations = recent_operations(context, since=database_now())
    return _obstacle(context, branches, operations) or _ready(context, branches, operations)


def _trace_of_effect(context: StepContext, branches: Sequence[Branch]) -> str:
    """Once an order went out, our name at Neon is no obstacle but a trace: nothing may be called without effect."""
    request = context.request
    if request.state != RequestState.RUNNING or not RestoreKind(request.kind).overwrites:
        return ""
    if any(branch.name == request.preserve_name for branch in branches):
        return f"{request.preserve_name} exists"
    # From a snapshot, whatever name Neon gave to what was replaced: the branch's own name has gone to another id.
    name, branch_id = packet_of(request).bound["branch_name"], context.branch.neon_branch_id
    taken = any(branch.name == name and branch.id != branch_id for branch in branches)
    return f"another branch is called {name}" if taken and request.snapshot_id else ""


def _contradicted(context: StepContext, trace: str) -> StepResult:
    name = context.request.preserve_name
    halted = halt("effect_unclear", f"Neon said that it did nothing with the order, yet {trace}.")

    def commit(run: Execution) -> None:
        doubt_refusal(run, name)
        if halted.commit is not None:
            halted.commit(run)

    return replace(halted, commit=commit)


def _changed_since_the_votes(context: StepContext, branches: Sequence[Branch]) -> list[str]:
    now = read_bound_facts(context.client, context.request, branches=branches)
    return drifted(packet_of(context.request).bound, now.to_json())


def _drift(context: StepContext, changed: list[str]) -> NoEffect:
    names = ", ".join(name.replace("_", " ") for name in changed)
    sentence = f"Changed since the votes: {names}. Nothing was sent to Neon."
    if context.request.state == RequestState.RUNNING:
        return no_effect("facts_changed", sentence)

    def commit(run: Execution) -> None:
        void_for_drift(request_id=context.request.pk, changed=changed)

    return NoEffect(code="facts_changed", sentence=sentence, commit=commit)


def _obstacle(context: StepContext, branches: Sequence[Branch], operations: Sequence[Operation]) -> StepResult | None:
    target = _target(context, branches)
    if context.request.kind != RestoreKind.SNAPSHOT and not target.can_be_restore_target:
        return no_effect("not_restorable", "Neon does not restore this branch in place. Nothing was sent to Neon.")
    if any(branch.name == context.request.preserve_name for branch in branches):
        name = context.request.preserve_name
        return no_effect(
            "name_taken",
            f"A branch named {name} exists already. Nothing was sent. Rename it, then start again.",
        )
    return _no_room(context, branches) or _lost_point(context) or _neon_at_work(context, operations)


def _target(context: StepContext, branches: Sequence[Branch]) -> Branch:
    return next(branch for branch in branches if branch.id == context.branch.neon_branch_id)


def _no_room(context: StepContext, branches: Sequence[Branch]) -> StepResult | None:
    if is_preview_first(context.request):
        return None  # its new branch is there already, or Neon is asked for it before anything is changed
    cap = context.execution.project.root_branch_cap
    used = sum(1 for branch in branches if branch.is_root)
    if cap is None or used < cap:
        return None
    return no_effect(
        "root_cap_reached",
        f"The plan allows {cap} root branches in this project and {used} are used. Nothing was sent to Neon. "
        "Delete a preserved branch that is no longer needed, then start again.",
    )


def _lost_point(context: StepContext) -> StepResult | None:
    request, kept = context.request, context.execution.project.history_retention_seconds
    if request.point_kind != PointKind.TIMESTAMP or request.point_at is None or kept is None:
        return None
    if request.point_at > database_now() - dt.timedelta(seconds=kept):
        return None
    sentence = "The restore point has left Neon's history. Nothing was sent to Neon."
    return NoEffect(
        code="point_out_of_window",
        sentence=sentence,
        commit=lambda run: close_lost_point(request_id=request.pk, sentence=sentence),
    )


def _neon_at_work(context: StepContext, operations: Sequence[Operation]) -> StepResult | None:
    busy = unfinished(operations)
    if not busy:
        return None
    return wait_for_neon(
        context,
        after_seconds=backoff_seconds(context.tries),
        waiting_for="Neon's other operations in this project",
        sentence=f"Neon is working on {len(busy)} other operations in this project.",
    )


def _ready(context: StepContext, branches: Sequence[Branch], operations: Sequence[Operation]) -> Advance:
    before = facts_before(_target(context, branches), operations)
    if context.request.kind == RestoreKind.SNAPSHOT:
        before |= facts_before_exchange(_target(context, branches), branches, context.request.snapshot_id)
    looks_first = is_preview_first(context.request) and "rehearsed" not in context.memory
    return Advance(
        to=Step.COPY if looks_first else Step.SUBMIT,
        sentence="Nothing that was voted on has changed.",
        memory={"before": before | {"fence": context.claim.fence}},
    )
