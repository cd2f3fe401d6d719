"""Events about findings."""

from __future__ import annotations

from backups.domain.ledger import Outcome, Target
from backups.domain.people import Actor
from backups.ledger.fields import Detail
from backups.models import Finding, LedgerEvent
from backups.neon.wire import parse_time
from backups.services.ledger import record_event


def target_of_finding(finding: Finding) -> Target:
    """The finding as the target of an event."""
    branch, project = finding.branch, finding.project
    return Target(
        kind="finding",
        id=finding.reference,
        project=project.neon_project_id if project else "",
        branch=branch.neon_branch_id if branch else "",
        environment=branch.environment.value if branch else "",
    )


def record_finding(
    finding: Finding, *, type: str, actor: Actor, details: dict[str, Detail] | None = None, text: str = ""
) -> LedgerEvent:
    """One event about the finding, in the open transaction. `text` is what a person wrote."""
    project = finding.project
    return record_event(
        type=type,
        actor=actor,
        target=target_of_finding(finding),
        outcome=Outcome.SUCCESS,
        details=_facts(finding) | (details or {}),
        text=text,
        sandbox=project.is_sandbox if project else None,
        correlation=finding.reference,
    )


def _facts(finding: Finding) -> dict[str, Detail]:
    evidence = finding.evidence
    reset = evidence.get("last_reset_at")
    return {
        "finding": finding.reference,
        "control": finding.control,
        "kind": finding.code,
        "severity": finding.severity,
        "branch_name": finding.branch.name if finding.branch else None,
        "operation_ids": evidence.get("operations") or None,
        "last_reset_at": parse_time(reset) if reset else None,
    }
