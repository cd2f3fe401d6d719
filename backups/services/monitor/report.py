"""The state of the backups as one JSON object, for the command, /health/backups and whoever reads them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from backups.models import Finding
from backups.selectors.monitor import BranchHealth, Situation, Unknown


def summary_of(found: Situation) -> dict[str, Any]:
    """Whether, and since when; no names, no sentences."""
    return {
        "status": found.health.value,
        "as_of": _text(found.now),
        "last_look_at": _text(found.cycle_at),
        "findings": {severity.value: count for severity, count in found.by_severity.items()},
        "unknown": len(found.unknown) + found.is_late,
    }


def report_of(found: Situation) -> dict[str, Any]:
    """Everything, for those who may see it: branches, findings, and what could not be told."""
    return summary_of(found) | {
        "branches": [_branch(each) for each in found.branches],
        "open_findings": [_finding(each) for each in found.findings],
        "could_not_tell": [_unknown(each) for each in found.unknown],
    }


def _branch(each: BranchHealth) -> dict[str, Any]:
    branch = each.branch
    return {
        "project": branch.project.neon_project_id,
        "branch": branch.neon_branch_id,
        "name": branch.name,
        "environment": each.environment.value,
        "is_sandbox": branch.project.is_sandbox,
        "status": each.health.value,
        "unknown_since": _text(each.unknown_since),
        "asked_neon_at": _text(each.asked_at),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "reference": finding.reference,
        "code": finding.code,
        "severity": finding.severity,
        "project": finding.project.neon_project_id if finding.project else None,
        "branch": finding.branch.neon_branch_id if finding.branch else None,
        "sentence": finding.sentence,
        "since": _text(finding.since),
        "last_seen_at": _text(finding.last_seen_at),
        "acknowledged_at": _text(finding.acknowledged_at),
        "evidence": finding.evidence,
    }


def _unknown(each: Unknown) -> dict[str, Any]:
    return {"control": each.control, "since": _text(each.since), "reason": each.reason}


def _text(at: dt.datetime | None) -> str | None:
    return None if at is None else at.astimezone(dt.UTC).isoformat(timespec="seconds")
