"""A finding and a proposal, for tests that only show pages."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from backups.models import ControlState, Finding, MetricSample, MonitorRun, PlanProposal, ProtectedBranch
from tests.factories import Person


def monitor_scene(branch: ProtectedBranch, proposer: Person) -> tuple[Finding, PlanProposal]:
    """Something wrong, something unknown, and figures of a week."""
    now = timezone.now()
    MonitorRun.objects.create(
        origin="schedule", started_at=now, ended_at=now, projects=1, calls=6, failed_calls=0, answered=2, unknown=0,
        opened=0, closed=0,
    )  # fmt: skip
    finding = Finding.objects.create(
        project=branch.project, branch=branch, control="outside", code="restored_outside", subject="s",
        severity="critical", sentence="main was overwritten; no request of the portal ordered it.",
        evidence={"branch": branch.neon_branch_id, "operations": ["7241bfc4-0b05-4004-b347-ea8be6573f45"]},
        since=now, last_seen_at=now,
    )  # fmt: skip
    ControlState.objects.create(
        control="schedule", project=branch.project, branch=branch, last_tried_at=now, unknown_since=now,
        unknown_reason="Neon could not be reached or could not answer (HTTP 503).",
    )  # fmt: skip
    MetricSample.objects.bulk_create(
        MetricSample(
            project=branch.project, name="storage_bytes", at=now - dt.timedelta(days=day), value=(9 - day) * 1e9
        )
        for day in range(8)
    )
    wanted = {"schedule": [{"frequency": "daily", "hour": 2, "retention_seconds": 604_800}], "history_seconds": 604_800}
    seen = {"schedule": [{"frequency": "weekly", "hour": 3, "day": 1}], "history_seconds": 86_400}
    proposal = PlanProposal.objects.create(
        branch=branch, wanted=wanted, seen=seen, proposed_by=proposer.user, proposed_at=now
    )
    return finding, proposal
