"""Preparing a request: what people vote on is read, measured and tried out, by a hard deadline.

Facts that make the digest come first; without them there is nothing to vote on. Everything else has a time box of
its own, and what is missing at its end is published as unknown with the reason.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from backups.domain.consequence import TABLES, consequence_sentence
from backups.domain.execution import BranchPurpose, Step
from backups.domain.packet import BoundFacts
from backups.domain.restore import PointKind, RequestState, RestoreKind, rfc3339
from backups.models import Execution, OwnedBranch, RestoreRequest
from backups.neon.errors import AnswerUnusable, NeonForbidden, NeonKeyRejected, NeonNotFound
from backups.selectors.clock import database_now
from backups.selectors.policy import policy_in_force
from backups.selectors.project import meanings_of
from backups.selectors.restore import governing_requests
from backups.services.bound_facts import read_bound_facts
from backups.services.execution.context import StepContext
from backups.services.execution.events import the_worker
from backups.services.execution.intents import IntentResult, NotSent, Refused, Unknown
from backups.services.execution.not_yet import not_yet
from backups.services.execution.own_copies import (
    CopyFailed,
    CopyPlan,
    ask_for_copy,
    expiry,
    note_present,
    seconds_until_usable,
)
from backups.services.execution.prepare_reading import compare, inspect, rehearse
from backups.services.execution.prepare_time import box_is_over, parts_of, seconds_left
from backups.services.execution.results import Advance, Again, Finished, NoEffect, StepResult
from backups.services.execution.served import request_of
from backups.services.observed_facts import Parts, assemble, facts_from_neon, history_left_seconds, one_line
from backups.services.project import refresh_branches, refresh_project
from backups.services.restore.input import NOT_IN_PLACE
from backups.services.restore.packet import publish_packet, return_to_draft
from backups.services.secrets import SecretsKeyUnusable, SecretUnreadable
from backups.services.snapshot import SnapshotGone

#: How long a copy outlives the last moment at which its request can start.
COPY_MARGIN = dt.timedelta(hours=1)
_YIELD_SECONDS = 1.0
#: Words by which Neon's refusal of a copy is about the point, so that it would refuse the restore too.
_ABOUT_THE_POINT = ("timestamp", "lsn", "history", "retention", "window", "point in time", "in the future")


class _NotInPlace(Exception):
    """Neon says by now that it would refuse the restore, so nobody needs to vote on it."""


def read_facts(context: StepContext) -> StepResult:
    """Reads the facts that make the digest. The engine tries again until the deadline when Neon is busy or away."""
    request = context.request
    try:
        bound, neon = _read(context, request)
    except NeonNotFound:
        return _returned(context, "not_found", f"Neon does not show {request.branch.name}, or what it restores from.")
    except (NeonKeyRejected, NeonForbidden, SecretUnreadable, SecretsKeyUnusable) as error:
        return _returned(context, "key_rejected", str(error))
    except SnapshotGone as gone:
        return _returned(context, "snapshot_gone", f"{gone} Choose another one.")
    except _NotInPlace:
        return _returned(context, "not_restorable", NOT_IN_PLACE)
    if bound.snapshot_at and bound.snapshot_at != rfc3339(_taken_at(request)):
        return _returned(context, "snapshot_changed", "Neon tells another time for this snapshot. Choose it again.")
    left = neon.get("history_left_seconds")
    if left is not None and left <= 0:
        return _returned(context, "point_too_old", "Neon no longer goes back to this point. Choose a later one.")
    return Advance(
        to=Step.COPY,
        memory={"bound": bound.to_json(), "parts": Parts(neon=neon).to_json()},
        sentence=f"Facts of {bound.branch_name} read",
        commit=lambda run: _note_name(request_of(run).pk, bound.snapshot_name),
    )


def copy(context: StepContext) -> StepResult:
    """Asks for a branch at the restore point. It is made while the live branch is inspected."""
    if box_is_over(context):
        waited_for = context.execution.waiting_for or "Neon to take the order"
        return _without_copy(context, f"the time ended while waiting for {waited_for}")
    runs = governing_requests(context.execution.project).filter(state=RequestState.RUNNING).first()
    if runs is not None:
        # Making a branch locks the whole project at Neon, and would delay that restore.
        return Again(after_seconds=_YIELD_SECONDS, waiting_for=f"{runs.reference}, which restores production")
    plan = preview_plan(context.request)
    wait = None
    try:
        result, made = ask_for_copy(context, plan)
        if made is not None and plan.snapshot_id:
            # It comes without a compute, which can only be asked for when it is there.
            wait = seconds_until_usable(context, made, plan, seconds=seconds_left(context))
    except (CopyFailed, AnswerUnusable) as failure:
        return _without_copy(context, str(failure))
    if made is None:
        return _not_made(context, result)

    def commit(run: Execution) -> None:
        note_present(run, made, plan.name)

    if wait is not None:
        return Again(after_seconds=wait, waiting_for="the copy of the snapshot", commit=commit)
    return Advance(
        to=Step.INSPECT, memory={"copy": made.to_json()}, sentence=f"Copy {plan.name} asked for", commit=commit
    )


def publish(context: StepContext) -> StepResult:
    """Puts the packet together and lets people vote on it."""
    request, now = context.request, database_now()
    bound = bound_from_memory(context)
    parts = parts_of(context)
    parts.neon["history_left_seconds"] = history_left_seconds(request, now=now)
    _miss_what_neon_did_not_tell(request, parts)
    observed = assemble(parts, as_of=now, databases=bound.databases, meanings=meanings_of(request.branch))
    sentence = consequence_sentence(
        bound=bound, observed=observed, project_name=request.branch.project.name, source_name=source_name(request)
    )
    return Finished(
        outcome_code="published",
        sentence=f"Published, {len(observed['unknown'])} facts unknown",
        commit=lambda run: _publish(request.pk, run, bound, dict(observed), sentence),
    )


def give_up(context: StepContext, code: str, sentence: str) -> StepResult:
    """A step that can't go on: what it should have found is unknown; without bound facts the draft goes back."""
    run = context.execution
    if "bound" not in context.memory or run.step == Step.PUBLISH:
        return _returned(context, code, sentence)
    parts = parts_of(context)
    parts.miss(f"{TABLES} at the point" if run.step != Step.REHEARSE else "rehearsal", sentence)
    return Advance(to=Step.PUBLISH, memory={"parts": parts.to_json()}, sentence=sentence)


def bound_from_memory(context: StepContext) -> BoundFacts:
    """The facts as the first step read them."""
    data = context.memory["bound"]
    return BoundFacts(**(data | {"databases": tuple(data["databases"]), "children": tuple(data["children"])}))


def source_name(request: RestoreRequest) -> str:
    """The name of the preserved branch that an undo brings back; empty for a restore from the branch itself."""
    if request.snapshot_id or request.source_branch_id == request.branch.neon_branch_id:
        return ""
    kept = OwnedBranch.objects.filter(project=request.branch.project, neon_branch_id=request.source_branch_id).first()
    return kept.name if kept else request.source_branch_id


def _note_name(request_id: int, snapshot_name: str) -> None:
    """A snapshot renamed since the request was written: the pages show the name that people vote on."""
    RestoreRequest.objects.filter(pk=request_id).exclude(snapshot_id="").update(snapshot_name=snapshot_name)


def _taken_at(request: RestoreRequest) -> dt.datetime:
    """The database forbids a request from a snapshot without its time."""
    if request.point_at is None:
        raise LookupError(f"{request.reference} names a snapshot without a time.")
    return request.point_at


def _read(context: StepContext, request: RestoreRequest) -> tuple[BoundFacts, dict[str, int | None]]:
    client, project = context.client, context.execution.project
    refresh_project(project_id=project.pk, found=client.projects.get(context.project_id), actor=the_worker())
    branches = client.branches.list(context.project_id)
    refresh_branches(project_id=project.pk, found=branches, actor=the_worker())
    # The branch may have another name or mark since the request was written.
    request = RestoreRequest.objects.select_related("branch__project", "undo_of").get(pk=request.pk)
    if request.kind in {RestoreKind.IN_PLACE, RestoreKind.UNDO} and request.branch.is_from_snapshot:
        raise _NotInPlace
    bound = read_bound_facts(client, request, branches=branches)
    size_bytes = next((other.logical_size_bytes for other in branches if other.id == bound.branch_id), None)
    roots = sum(1 for other in branches if other.is_root)
    return bound, facts_from_neon(request, size_bytes=size_bytes, root_branches=roots, now=database_now())


def preview_plan(request: RestoreRequest) -> CopyPlan:
    """The copy that the facts are read from; for a snapshot to be looked at first, it becomes the branch."""
    policy = policy_in_force()
    life = dt.timedelta(
        seconds=policy.preparation_seconds + policy.vote_window_seconds + policy.start_window_busy_seconds
    )
    return CopyPlan(
        name=request.preview_name,
        source_branch_id=request.branch.neon_branch_id if request.snapshot_id else request.source_branch_id,
        point=request.point,
        purpose=BranchPurpose.PREVIEW,
        owner_name=request.requester_name,
        expires_at=None if request.snapshot_id else expiry(life + COPY_MARGIN),
        annotation={"made-by": "carecircle-ops", "request": request.reference},
        request=request,
    )


def _not_made(context: StepContext, result: IntentResult) -> StepResult:
    later = not_yet(result)
    if later is not None:
        return later
    if isinstance(result, Refused) and _is_about_the_point(context.request, result):
        return _returned(context, "point_refused", f"Neon can't go back to this point. {one_line(result.sentence)}.")
    return _without_copy(context, _why(result))


def _why(result: IntentResult) -> str:
    return result.sentence if isinstance(result, Refused | Unknown | NotSent) else "Neon did not show it"


def _is_about_the_point(request: RestoreRequest, refused: Refused) -> bool:
    if request.point_kind in {PointKind.HEAD, PointKind.SNAPSHOT} or "limit" in refused.code:
        return False
    return any(word in refused.sentence.lower() for word in _ABOUT_THE_POINT)


def _without_copy(context: StepContext, why: str) -> StepResult:
    """The packet goes on without the state at the point."""
    parts = parts_of(context)
    parts.miss(f"{TABLES} at the point", f"no copy could be made: {why}")
    parts.miss("rehearsal", "there is no copy to rehearse on")
    return Advance(to=Step.INSPECT, memory={"parts": parts.to_json()}, sentence=one_line(why))


def _miss_what_neon_did_not_tell(request: RestoreRequest, parts: Parts) -> None:
    for name, what in (("root_used", "root branches in use"), ("root_cap", "the plan's cap on root branches")):
        if parts.neon.get(name) is None:
            parts.miss(what, "Neon did not tell, or the plan is not known here")
    if request.point_kind == PointKind.TIMESTAMP and parts.neon.get("history_left_seconds") is None:
        parts.miss("history left", "Neon did not tell its history window")


def _publish(request_id: int, run: Execution, bound: BoundFacts, observed: dict[str, object], sentence: str) -> None:
    took = database_now() - run.created_at
    publish_packet(
        request_id=request_id,
        revision=run.revision,
        bound=bound,
        observed=observed,
        consequence=sentence,
        preparation_milliseconds=round(took.total_seconds() * 1000),
    )


def _returned(context: StepContext, code: str, sentence: str) -> StepResult:
    request_id, revision = context.request.pk, context.execution.revision
    words = f"{one_line(sentence)}. There is nothing to vote on yet: submit it again."

    def commit(_: Execution) -> None:
        return_to_draft(request_id=request_id, revision=revision, code=code, sentence=words)

    return NoEffect(code=code, sentence=words, commit=commit)


STEPS: dict[Step, Callable[[StepContext], StepResult]] = {
    Step.FACTS: read_facts,
    Step.COPY: copy,
    Step.INSPECT: inspect,
    Step.COMPARE: compare,
    Step.REHEARSE: rehearse,
    Step.PUBLISH: publish,
}
