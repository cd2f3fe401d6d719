"""The case file of one drill."""

from __future__ import annotations

from dataclasses import dataclass

from backups.domain.execution import Purpose
from backups.models import (
    CheckResult,
    CorrectiveAction,
    Drill,
    DrillAttachment,
    DrillFinding,
    DrillParticipant,
    DrillSignOff,
)
from backups.selectors.case_file.events import CaseEvent, events_of_reference


@dataclass(frozen=True, slots=True)
class DrillCase:
    """Everything about one drill. `sign_off` None: nobody has signed it."""

    drill: Drill
    checks: list[CheckResult]
    participants: list[DrillParticipant]
    findings: list[DrillFinding]
    actions: list[CorrectiveAction]
    attachments: list[DrillAttachment]
    sign_off: DrillSignOff | None
    events: list[CaseEvent]


def drill_case(pk: int) -> DrillCase | None:
    """A fixed number of queries."""
    drill = (
        Drill.objects.select_related("project", "branch", "plan", "story__event", "conclusion__event")
        .filter(pk=pk)
        .first()
    )
    if drill is None:
        return None
    checks = CheckResult.objects.filter(execution__drill=drill, execution__purpose=Purpose.DRILL)
    return DrillCase(
        drill=drill,
        checks=list(checks.order_by("review_round", "position", "pk")),
        participants=list(drill.participants.all()),
        findings=list(drill.findings.select_related("text__event")),
        actions=list(drill.actions.select_related("proof__event")),
        attachments=list(drill.attachments.defer("content")),
        sign_off=DrillSignOff.objects.filter(drill=drill).select_related("text__event").first(),
        events=events_of_reference(drill.reference),
    )
