"""The monitor's first page: can we recover, what is wrong, and what could not be told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse

from backups.admin.access import for_people_who_may
from backups.admin.frame import render
from backups.admin.monitor import words
from backups.domain.monitor import KINDS, FindingCode, Severity
from backups.domain.people import Actor, Capability
from backups.models import Finding
from backups.selectors.backup_plan import open_plan_proposals
from backups.selectors.clock import database_now
from backups.selectors.monitor import BranchHealth, Unknown, closed_findings, situation
from backups.services.monitor.controls.registry import TITLES


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding in a list."""

    finding: Finding
    title: str
    severity: words.Shown


@dataclass(frozen=True, slots=True)
class BranchRow:
    """One branch in the list."""

    state: BranchHealth
    shown: words.Shown
    worst: words.Shown | None
    notices: int


@dataclass(frozen=True, slots=True)
class UnknownRow:
    """A control without an answer."""

    title: str
    place: str
    unknown: Unknown


@for_people_who_may(Capability.READ_MONITOR)
def monitor(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Everything the monitor knows, worst first."""
    found = situation(database_now())
    names = {each.branch.pk: str(each.branch) for each in found.branches}
    context = {
        "situation": found,
        "health": words.HEALTH[found.health],
        "branches": [_branch(each) for each in found.branches],
        "findings": rows(found.findings),
        "unknown": [
            UnknownRow(TITLES.get(each.control, each.control), names.get(each.branch_id or 0, ""), each)
            for each in found.unknown
        ],
        "closed": rows(closed_findings(most=20)),
        "proposals": list(open_plan_proposals()),
    }
    return render(request, "monitor/overview.html", context)


def rows(findings: Iterable[Finding]) -> list[FindingRow]:
    """Findings with their words."""
    return [
        FindingRow(each, KINDS[FindingCode(each.code)].title, words.SEVERITY[Severity(each.severity)])
        for each in findings
    ]


def _branch(state: BranchHealth) -> BranchRow:
    notices = sum(each.severity == Severity.NOTICE for each in state.findings)
    worst = words.SEVERITY[state.worst] if state.worst is not None and state.worst is not Severity.NOTICE else None
    return BranchRow(state, words.BRANCH_HEALTH[state.health], worst, notices)
