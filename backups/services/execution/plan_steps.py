"""Bringing Neon to the backups that two people agreed on: the whole schedule, and a longer history window.

A schedule that somebody changed since the proposal is left alone: what vanishes must be what was shown.
"""

from __future__ import annotations

from collections.abc import Callable

from backups.domain.backup_plan import WantedBackups, drift
from backups.domain.execution import IntentKind, Step
from backups.models import Execution, Intent, PlanProposal
from backups.neon.results import OperationsStarted, ProjectChange
from backups.neon.schedules import ScheduleItem
from backups.selectors.restore import governing_requests
from backups.services.backup_plan import note_applied, note_not_applied
from backups.services.execution.context import StepContext
from backups.services.execution.events import the_worker
from backups.services.execution.intent_records import newest_intent
from backups.services.execution.intents import (
    Absent,
    Applied,
    Change,
    Found,
    IntentResult,
    LookUp,
    Refused,
    Waiting,
    with_intent,
)
from backups.services.execution.results import Again, Finished, NoEffect, StepResult
from backups.services.monitor.scene import rule_of
from backups.services.observed_facts import one_line

_YIELD_SECONDS = 5.0
_SCHEDULE, _HISTORY = "backup schedule", "history window"


def apply(context: StepContext) -> StepResult:
    """The schedule first, then the history window; each is ordered once, and looked up when its answer was lost."""
    proposal = proposal_of(context.execution)
    waits_for = governing_requests(context.execution.project).first()
    if waits_for is not None:
        return Again(after_seconds=_YIELD_SECONDS, waiting_for=f"{waits_for.reference}, which restores production")
    wanted, seen = WantedBackups.from_json(proposal.wanted), WantedBackups.from_json(proposal.seen)
    for bring in (_bring_schedule, _bring_history):
        stopped = bring(context, wanted, seen)
        if stopped is not None:
            return stopped
    sentence = "Neon has the declared schedule and history window."
    return Finished(
        outcome_code="applied",
        sentence=sentence,
        commit=lambda run: note_applied(proposal, actor=the_worker(), run_id=run.pk, sentence=sentence),
    )


def give_up(context: StepContext, code: str, sentence: str) -> StepResult:
    """People are told; the monitor goes on to show what differs."""
    return _not_applied(context, code, sentence)


def proposal_of(run: Execution) -> PlanProposal:
    """What the run is to bring about."""
    if run.plan_proposal_id is None:
        raise LookupError("a run of this purpose always has a proposal")
    return PlanProposal.objects.select_related("branch__project", "proposed_by").get(pk=run.plan_proposal_id)


def _bring_schedule(context: StepContext, wanted: WantedBackups, seen: WantedBackups) -> StepResult | None:
    found = _schedule(context)
    ordered = newest_intent(context.execution, IntentKind.PUT_SCHEDULE, _SCHEDULE)
    if ordered is None and drift(wanted=wanted.schedule, found=found.schedule).is_none:
        return None
    if ordered is None and not drift(wanted=seen.schedule, found=found.schedule).is_none:
        sentence = "The schedule at Neon was changed since the proposal. Nothing was sent; propose it anew."
        return _not_applied(context, "changed_since", sentence)
    return _unless_applied(context, with_intent(context, _put(context, wanted)))


def _put(context: StepContext, wanted: WantedBackups) -> Change:
    items = [ScheduleItem(each.frequency, each.hour, each.day, each.retention_seconds) for each in wanted.schedule]

    def send(intent: Intent) -> OperationsStarted:
        request_id = str(intent.http_request_id)
        context.client.schedules.put(context.project_id, _branch_id(context), items, request_id=request_id)
        return OperationsStarted((), request_id)

    def look_up(intent: Intent) -> LookUp:
        return Found() if drift(wanted=wanted.schedule, found=_schedule(context).schedule).is_none else Absent()

    return Change(
        kind=IntentKind.PUT_SCHEDULE,
        name=_SCHEDULE,
        target_branch_id=_branch_id(context),
        facts={"schedule": [rule.to_json() for rule in wanted.schedule]},
        send=send,
        look_up=look_up,
    )


def _bring_history(context: StepContext, wanted: WantedBackups, seen: WantedBackups) -> StepResult | None:
    """Never made shorter: what is cut off is gone for good."""
    ordered = newest_intent(context.execution, IntentKind.UPDATE_PROJECT, _HISTORY)
    found = _history_seconds(context)
    if ordered is None and (found is None or found >= wanted.history_seconds):
        return None
    return _unless_applied(context, with_intent(context, _lengthen(context, wanted.history_seconds)))


def _lengthen(context: StepContext, seconds: int) -> Change:
    def send(intent: Intent) -> ProjectChange:
        return context.client.projects.update(
            context.project_id, history_retention_seconds=seconds, request_id=str(intent.http_request_id)
        )

    def look_up(intent: Intent) -> LookUp:
        return Found() if _history_seconds(context) == seconds else Absent()

    return Change(
        kind=IntentKind.UPDATE_PROJECT,
        name=_HISTORY,
        facts={"history_seconds": seconds},
        send=send,
        look_up=look_up,
    )


def _unless_applied(context: StepContext, result: IntentResult) -> StepResult | None:
    if isinstance(result, Applied):
        return None
    if isinstance(result, Waiting):
        return Again(after_seconds=result.after_seconds, waiting_for="Neon to take it", sentence=result.sentence)
    if isinstance(result, Refused) and result.retry_after_seconds is not None:
        return Again(
            after_seconds=result.retry_after_seconds,
            waiting_for="Neon to finish other work in this project",
            sentence=result.sentence,
        )
    return _not_applied(context, "refused", result.sentence)


def _not_applied(context: StepContext, code: str, sentence: str) -> StepResult:
    proposal, words = proposal_of(context.execution), one_line(sentence)

    def commit(run: Execution) -> None:
        note_not_applied(proposal, actor=the_worker(), run_id=run.pk, code=code, sentence=words)

    return NoEffect(code=code, sentence=words, commit=commit)


def _schedule(context: StepContext) -> WantedBackups:
    items = context.client.schedules.get(context.project_id, _branch_id(context))
    return WantedBackups(tuple(rule_of(item) for item in items), 0)


def _history_seconds(context: StepContext) -> int | None:
    return context.client.projects.get(context.project_id).history_retention_seconds


def _branch_id(context: StepContext) -> str:
    return str(context.branch.neon_branch_id)


STEPS: dict[Step, Callable[[StepContext], StepResult]] = {Step.APPLY: apply}
