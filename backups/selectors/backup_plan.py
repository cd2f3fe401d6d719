"""What backups are wanted of a branch, and what is proposed."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from backups.domain.backup_plan import Rule, WantedBackups, default_for
from backups.models import BackupPlan, PlanProposal, ProtectedBranch


def wanted_backups(branches: Iterable[ProtectedBranch]) -> dict[int, WantedBackups]:
    """By the branch's key: what is declared, else the default of its environment. One query."""
    listed = list(branches)
    declared = {row.branch_id: _wanted(row) for row in BackupPlan.objects.filter(branch__in=listed)}
    return {branch.pk: declared.get(branch.pk) or default_for(branch.environment) for branch in listed}


def wanted_of(branch: ProtectedBranch) -> WantedBackups:
    """What is wanted of one branch."""
    return wanted_backups([branch])[branch.pk]


def open_plan_proposals() -> QuerySet[PlanProposal]:
    """Wishes to bring Neon to what is declared that wait for a second person, oldest first."""
    waiting = PlanProposal.objects.filter(confirmed_at__isnull=True, refused_at__isnull=True)
    return waiting.select_related("branch__project", "proposed_by").order_by("proposed_at")


def _wanted(row: BackupPlan) -> WantedBackups:
    rules = tuple(Rule.from_json(item) for item in row.schedule)
    return WantedBackups(schedule=rules, history_seconds=row.history_seconds)
