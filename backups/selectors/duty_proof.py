"""What the portal itself can see of a duty: proof in a period, in one sentence, or nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from backups.domain.drill import DrillOutcome, DrillState, ScheduleKind
from backups.domain.ledger import Outcome
from backups.domain.people import Capability
from backups.domain.policy import Environment
from backups.models import (
    Drill,
    DrillPlan,
    LedgerEvent,
    MonitorRun,
    OutboxMessage,
    Project,
    ProtectedBranch,
    RunbookCopy,
)
from backups.selectors.people import people_with
from backups.selectors.policy import policy_in_force
from backups.selectors.project import governed_branches


@dataclass(frozen=True, slots=True)
class Span:
    """Proof counts from `begins` on and before `ends`."""

    begins: dt.datetime
    ends: dt.datetime


Proof = Callable[[Span], str]


def proof_of(code: str, span: Span) -> str:
    """A sentence that says what was seen; empty when nothing proves the duty."""
    return _PROOFS[code](span) if code in _PROOFS else ""


def production_branches() -> list[ProtectedBranch]:
    """Root branches in care that count as production."""
    roots = [branch for branch in governed_branches() if branch.is_root is not False]
    return [branch for branch in roots if branch.environment is Environment.PRODUCTION]


def _project(span: Span) -> str:
    names = list(Project.objects.filter(connected_at__isnull=False).values_list("name", flat=True))
    return f"Connected: {len(names)}." if names else ""


def _classified(span: Span) -> str:
    branches = list(governed_branches())
    unlabelled = [branch for branch in branches if not branch.label]
    return f"Every branch has a label: {len(branches)} in care." if branches and not unlabelled else ""


def _approvers(span: Span) -> str:
    needed = policy_in_force().production_in_place_votes
    there = people_with(Capability.VOTE_ON_RESTORE).count()
    return f"{there} people can approve; a production restore needs {needed}." if there > needed else ""


def _plans(span: Span) -> str:
    wanted = {branch.pk for branch in production_branches()}
    plans = DrillPlan.objects.filter(is_active=True).exclude(schedule_kind=ScheduleKind.BY_HAND)
    planned = set(plans.values_list("branch_id", flat=True))
    return f"Every production branch has one: {len(wanted)} in care." if wanted and wanted <= planned else ""


def _messages(span: Span) -> str:
    sent = OutboxMessage.objects.filter(sent_at__isnull=False).order_by("sent_at").first()
    return f"A message was handed to {sent.channel} on {sent.sent_at:%Y-%m-%d}." if sent and sent.sent_at else ""


def _checked(span: Span) -> str:
    runs = MonitorRun.objects.filter(ended_at__gte=span.begins, ended_at__lt=span.ends, answered__gt=0)
    first = runs.order_by("ended_at").first()
    return f"The monitor ended a cycle on {first.ended_at:%Y-%m-%d %H:%M} UTC." if first else ""


def _drilled(span: Span) -> str:
    wanted = {branch.pk for branch in production_branches()}
    good = Drill.objects.filter(
        is_automatic=True,
        state=DrillState.ENDED,
        outcome=DrillOutcome.PASSED,
        ended_at__gte=span.begins,
        ended_at__lt=span.ends,
    )
    passed = set(good.values_list("branch_id", flat=True))
    return f"A drill passed for every production branch: {len(wanted)} in care." if wanted and wanted <= passed else ""


def _printed(span: Span) -> str:
    wanted = set(Project.objects.values_list("pk", flat=True))
    copies = RunbookCopy.objects.filter(written_at__gte=span.begins, written_at__lt=span.ends)
    return (
        f"Written for every project: {len(wanted)}."
        if wanted and wanted <= set(copies.values_list("project_id", flat=True))
        else ""
    )


def _verified(span: Span) -> str:
    """Only one that went well: a verification that found something proves the opposite."""
    done = LedgerEvent.objects.filter(type="ledger.verified", outcome=Outcome.SUCCESS)
    first = done.filter(recorded_at__gte=span.begins, recorded_at__lt=span.ends).order_by("recorded_at").first()
    return f"It was verified without a finding on {first.recorded_at:%Y-%m-%d %H:%M} UTC." if first else ""


def _exercised(span: Span) -> str:
    held = Drill.objects.filter(
        is_automatic=False, sign_off__isnull=False, ended_at__gte=span.begins, ended_at__lt=span.ends
    )
    newest = held.order_by("-ended_at").first()
    return f"{newest.reference} was held and signed off." if newest else ""


_PROOFS: dict[str, Proof] = {
    "connect_project": _project,
    "classify_branches": _classified,
    "enough_approvers": _approvers,
    "plan_drills": _plans,
    "messages_arrive": _messages,
    "backups_checked": _checked,
    "drill_passed": _drilled,
    "runbook_printed": _printed,
    "ledger_verified": _verified,
    "exercise_held": _exercised,
}
