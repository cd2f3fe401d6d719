"""A signed record explains what the monitor found outside the portal, and so closes the finding."""

from __future__ import annotations

import datetime as dt

from backups.domain.people import Actor
from backups.models import Finding, RetrospectiveRecord
from backups.services.monitor.records import record_finding
from backups.services.monitor.telling import News, tell_of


def close_explained(*, finding_id: int, record: RetrospectiveRecord, actor: Actor, now: dt.datetime) -> bool:
    """Closes the finding with the record's reference, in the caller's transaction. False: it was closed already."""
    found = Finding.objects.select_for_update(of=("self",)).select_related("project", "branch__project", "owner")
    finding = found.get(pk=finding_id)
    if finding.closed_at is not None:
        return False
    event = record_finding(finding, type="finding.explained", actor=actor, details={"record": record.reference})
    finding.explained_by_id, finding.explanation_event_id = actor.user_id, event.pk
    finding.explained_with, finding.closed_at = record.reference, now
    finding.save(update_fields=["explained_by", "explanation_event_id", "explained_with", "closed_at"])
    tell_of(finding, News.CLOSED)
    return True
