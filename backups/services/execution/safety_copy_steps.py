"""Making a safety copy: what fits is chosen, ordered once, waited for, and counted only when Neon shows it.

The branch is read and never changed. A copy waits for a production restore of the project, and gives up in time:
whoever holds risky work back for it must get an answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from backups.domain.execution import BranchPurpose, IntentKind, Step
from backups.domain.restore import PointKind, RestorePoint
from backups.domain.safety_copy import CopyKind, kind_that_fits
from backups.models import Execution, Intent, SafetyCopy
from backups.neon.errors import NeonNotFound
from backups.neon.snapshots import SnapshotChange
from backups.selectors.clock import database_now
from backups.selectors.restore import governing_requests
from backups.services.execution.context import StepContext
from backups.services.execution.intents import (
    Absent,
    Applied,
    Busy,
    Change,
    Found,
    IntentResult,
    LookUp,
    NotSent,
    Refused,
    Unclear,
    Unknown,
    with_intent,
)
from backups.services.execution.lookups import fresh, may_still_act, recent_operations
from backups.services.execution.not_yet import not_yet
from backups.services.execution.own_copies import Copy, CopyFailed, CopyPlan, ask_for_copy, is_ready, note_present
from backups.services.execution.results import Advance, Again, Finished, NoEffect, StepResult
from backups.services.observed_facts import one_line
from backups.services.safety_copy.records import copy_has_failed, copy_is_made, decide_kind

_YIELD_SECONDS = 2.0
_READY_SECONDS = 8.0
#: Neon's list may be a moment behind its operations.
_SHOWN_WITHIN_SECONDS = 60.0


def choose(context: StepContext) -> StepResult:
    """Which kind fits: asked of Neon now, because the plan's head-room is a matter of what is there."""
    late = _yields(context)
    if late is not None:
        return late
    copy = copy_of(context)
    try:
        branch = context.client.branches.get(context.project_id, copy.branch.neon_branch_id)
    except NeonNotFound:
        return _failed(context, "not_found", "Neon does not show this branch any more")
    if copy.wanted_kind:
        kind = CopyKind(copy.wanted_kind)
    else:
        taken = context.client.snapshots.list(context.project_id)
        kind = kind_that_fits(
            plan=context.execution.project.plan,
            # What Neon does not tell counts as taken by hand: the cap is theirs.
            manual_snapshots=sum(snapshot.manual is not False for snapshot in taken),
            is_root=branch.is_root,
        )
    if kind is CopyKind.SNAPSHOT and not branch.is_root:
        return _failed(context, "not_root", "Neon takes snapshots of root branches only")
    return Advance(
        to=Step.COPY,
        memory={"kind": kind.value},
        sentence=f"A {kind.value} is made",
        commit=lambda run: decide_kind(copy_id=copy.pk, kind=kind),
    )


def order(context: StepContext) -> StepResult:
    """Has Neon make it, once."""
    late = _yields(context)
    if late is not None:
        return late
    if context.memory["kind"] == CopyKind.BRANCH:
        return _order_branch(context)
    return _order_snapshot(context)


def wait(context: StepContext) -> StepResult:
    """Until Neon's operations on it are done."""
    made = Copy(**context.memory["copy"])
    try:
        if not is_ready(context, made, seconds=_READY_SECONDS):
            return Again(after_seconds=0, waiting_for="Neon to finish the copy")
    except CopyFailed as failure:
        return _failed(context, "copy_failed", str(failure))
    return Advance(to=Step.VERIFY, sentence="Neon calls it done")


def verify(context: StepContext) -> StepResult:
    """It counts only when Neon lists it, under its id and its name, as a copy of this branch."""
    copy, made = copy_of(context), Copy(**context.memory["copy"])
    if not _is_listed(context, copy, made.branch_id):
        if made.seconds_since_asked(database_now()) >= _SHOWN_WITHIN_SECONDS:
            return _failed(context, "not_shown", "Neon calls it done and does not show it")
        return Again(after_seconds=1.0, waiting_for="Neon to show the copy")
    now = database_now()

    def commit(run: Execution) -> None:
        copy_is_made(copy_id=copy.pk, neon_id=made.branch_id, at=now, execution_id=run.pk)

    return Finished(outcome_code="made", sentence=f"{copy.name} is at Neon", commit=commit)


def give_up(context: StepContext, code: str, sentence: str) -> StepResult:
    """No copy, as far as is known; the branch itself was not touched."""
    return _failed(context, code, sentence)


def copy_of(context: StepContext) -> SafetyCopy:
    """The safety copy that the run serves."""
    copy = context.execution.safety_copy
    if copy is None:
        raise LookupError("a run of this purpose always has a safety copy")
    copy.branch = context.branch
    return copy


def _yields(context: StepContext) -> StepResult | None:
    """While production is about to be restored nothing else calls this project; None: go on."""
    waits_for = governing_requests(context.execution.project).first()
    deadline = context.execution.deadline_at
    if deadline is not None and database_now() >= deadline:
        why = f"it waited too long{f' for {waits_for.reference}' if waits_for else ''}"
        return _failed(context, "deadline", why)
    if waits_for is None:
        return None
    return Again(after_seconds=_YIELD_SECONDS, waiting_for=f"{waits_for.reference}, which restores production")


def _order_branch(context: StepContext) -> StepResult:
    plan = _plan(copy_of(context))
    try:
        result, made = ask_for_copy(context, plan)
    except NeonNotFound:
        return _failed(context, "not_found", "Neon does not show this branch any more")
    except CopyFailed as failure:
        return _failed(context, "copy_failed", str(failure))
    if made is None:
        return _not_made(context, result)
    return Advance(
        to=Step.WAIT,
        memory={"copy": made.to_json()},
        sentence=f"Branch {plan.name} asked for",
        commit=lambda run: note_present(run, made, plan.name),
    )


def _plan(copy: SafetyCopy) -> CopyPlan:
    return CopyPlan(
        name=copy.name,
        source_branch_id=copy.branch.neon_branch_id,
        point=RestorePoint(PointKind.HEAD),
        purpose=BranchPurpose.SAFETY,
        owner_name=copy.asked_by_name,
        expires_at=copy.expires_at,
        annotation={"made-by": "carecircle-ops", "safety-copy": copy.reference},
        safety_copy=copy,
        with_compute=False,
    )


def _order_snapshot(context: StepContext) -> StepResult:
    copy = copy_of(context)
    answered: list[str] = []

    def send(intent: Intent) -> SnapshotChange:
        change = context.client.snapshots.create(
            context.project_id,
            branch_id=copy.branch.neon_branch_id,
            name=copy.name,
            expires_at=copy.expires_at,
            request_id=str(intent.http_request_id),
        )
        answered.append(change.snapshot.id)
        return change

    change = Change(
        kind=IntentKind.CREATE_SNAPSHOT,
        name=copy.name,
        target_branch_id=copy.branch.neon_branch_id,
        facts={"expires_at": copy.expires_at.isoformat()},
        send=send,
        look_up=look_up_snapshot(context),
    )
    try:
        result = with_intent(context, change)
    except NeonNotFound:
        return _failed(context, "not_found", "Neon does not show this branch any more")
    if not isinstance(result, Applied):
        return _not_made(context, result)
    found = answered[0] if answered else _id_by_name(context, copy.name)
    if found is None:
        return Again(after_seconds=1.0, waiting_for="Neon to show the copy")
    made = Copy(found, list(result.intent.operation_ids), result.intent.created_at.isoformat())
    return Advance(to=Step.WAIT, memory={"copy": made.to_json()}, sentence=f"Snapshot {copy.name} asked for")


def look_up_snapshot(context: StepContext) -> Callable[[Intent], LookUp]:
    """What became of the order: by the name, and by what only this order asked for."""

    def look_up(intent: Intent) -> LookUp:
        found = context.client.snapshots.find_by_name(context.project_id, intent.name)
        operations = fresh(intent.facts, recent_operations(context, since=intent.created_at))
        if found is None:
            return (
                Busy("Neon is still working on something in this project.") if may_still_act(operations) else Absent()
            )
        wanted = dt.datetime.fromisoformat(intent.facts["expires_at"])
        if found.source_branch_id != intent.target_branch_id or found.expires_at != wanted:
            return Unclear(f"A snapshot named {intent.name} exists that this order did not make.")
        ours = [each.id for each in operations if each.branch_id == intent.target_branch_id]
        return Found(tuple(ours), {"snapshot_id": found.id})

    return look_up


def _id_by_name(context: StepContext, name: str) -> str | None:
    found = context.client.snapshots.find_by_name(context.project_id, name)
    return found.id if found else None


def _is_listed(context: StepContext, copy: SafetyCopy, neon_id: str) -> bool:
    if context.memory["kind"] == CopyKind.BRANCH:
        branches = context.client.branches.list(context.project_id)
        return any(branch.id == neon_id and branch.name == copy.name for branch in branches)
    taken = context.client.snapshots.list(context.project_id)
    return any(snapshot.id == neon_id and snapshot.name == copy.name for snapshot in taken)


def _not_made(context: StepContext, result: IntentResult) -> StepResult:
    later = not_yet(result)
    if later is not None:
        return later
    if isinstance(result, Unknown):
        return _failed(context, "unknown", f"it could not be found out whether Neon made it: {result.sentence}")
    sentence = result.sentence if isinstance(result, Refused | NotSent) else "Neon did not show it"
    return _failed(context, "refused", sentence)


def _failed(context: StepContext, code: str, sentence: str) -> StepResult:
    copy_id = copy_of(context).pk
    words = f"No safety copy: {one_line(sentence)}. The branch was not changed."

    def commit(run: Execution) -> None:
        copy_has_failed(copy_id=copy_id, code=code, sentence=words, execution_id=run.pk)

    return NoEffect(code=code, sentence=words, commit=commit)


STEPS: dict[Step, Callable[[StepContext], StepResult]] = {
    Step.FACTS: choose,
    Step.COPY: order,
    Step.WAIT: wait,
    Step.VERIFY: verify,
}
