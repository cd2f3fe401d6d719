"""Everything that the report of one drill shows."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from backups.domain.execution import CheckOutcome, Purpose
from backups.models import (
    CheckResult,
    CorrectiveAction,
    Drill,
    DrillAttachment,
    DrillFinding,
    DrillNote,
    DrillParticipant,
    DrillSignOff,
    Execution,
    LedgerEvent,
)

_EVENTS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class DrillReport:
    """A drill with what was measured, written and signed. A fixed number of queries."""

    drill: Drill
    run: Execution | None
    participants: list[DrillParticipant]
    notes: list[DrillNote]
    findings: list[DrillFinding]
    actions: list[CorrectiveAction]
    attachments: list[DrillAttachment]
    sign_off: DrillSignOff | None
    events: list[LedgerEvent]

    @property
    def checks(self) -> list[CheckResult]:
        """Those that did not pass first: they are what the report is read for."""
        found = list(self.run.checks.all()) if self.run else []
        rank = {CheckOutcome.FAILED: 0, CheckOutcome.INCONCLUSIVE: 1, None: 2, CheckOutcome.PASSED: 3}
        return sorted(found, key=lambda check: (rank[_outcome(check)], check.position, check.pk))


def _outcome(check: CheckResult) -> CheckOutcome | None:
    return CheckOutcome(check.outcome) if check.outcome else None


def find_drill(pk: int) -> Drill | None:
    """The drill with what its page names."""
    found = Drill.objects.select_related(
        "project", "branch__project", "plan", "story", "conclusion", "restore_request", "sign_off__text", "asked_by"
    )
    return found.filter(pk=pk).first()


def run_of(drill: Drill) -> Execution | None:
    """The worker's run of an automatic drill, with its steps."""
    runs = Execution.objects.filter(drill=drill, purpose=Purpose.DRILL)
    return runs.prefetch_related("steps").order_by("-pk").first()


def drill_report(drill: Drill) -> DrillReport:
    """Reads it all."""
    run = (
        Execution.objects.filter(drill=drill, purpose=Purpose.DRILL)
        .prefetch_related("steps", "checks", "drill__owned_branches")
        .order_by("-pk")
        .first()
    )
    about = Q(target_kind="drill", target_id=drill.reference) | Q(correlation=drill.reference)
    return DrillReport(
        drill=drill,
        run=run,
        participants=list(drill.participants.select_related("person")),
        notes=list(drill.notes.select_related("text")),
        findings=list(drill.findings.select_related("text")),
        actions=list(drill.actions.select_related("proof")),
        attachments=list(drill.attachments.defer("content")),
        sign_off=getattr(drill, "sign_off", None),
        events=list(LedgerEvent.objects.filter(about).defer("body", "members")[:_EVENTS_SHOWN]),
    )
