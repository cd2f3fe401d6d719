"""A signed record explains what the monitor found outside the portal, and so closes the finding."""

from __future__ import annotations

import datetime as dt

from backups.domain.ledger import Target
from backups.domain.people import Actor
from backups.models import Finding, RetrospectiveRecord
from backups.services.ledger import record_event


def explain_finding(*, finding_id: int, record: RetrospectiveRecord, actor: Actor, now: dt.datetime) -> bool:
    """Closes the finding with the record's reference, in the caller's transaction. False: it was closed already."""
    finding = Finding.objects.select_for_update(of=("self",)).select_related("project").get(pk=finding_id)
    if finding.closed_at is not None:
        return False
    event = record_event(
        type="finding.explained",
        actor=actor,
        target=Target(
            kind="finding",
            id=finding.reference,
            project=record.branch.project.neon_project_id,
            branch=record.branch.neon_branch_id,
            environment=record.branch.environment.value,
        ),
        details={"finding": finding.reference, "record": record.reference},
        sandbox=record.branch.project.is_sandbox,
        correlation=record.reference,
    )
    finding.explained_by_id, finding.explanation_event_id = actor.user_id, event.pk
    finding.explained_with, finding.closed_at = record.reference, now
    finding.save(update_fields=["explained_by", "explanation_event_id", "explained_with", "closed_at"])
    return True
