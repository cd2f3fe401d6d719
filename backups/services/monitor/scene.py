"""Everything that the controls of one project look at: Neon's answers, and the portal's own rows, read once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from backups.domain.backup_plan import Rule, WantedBackups
from backups.domain.drill import Standing
from backups.domain.execution import BranchFate
from backups.models import FormerBranchId, OwnedBranch, Project, ProtectedBranch, SafetyCopy, SafetySchedule
from backups.neon.schedules import ScheduleItem
from backups.neon.snapshots import Snapshot
from backups.selectors.drill import standings
from backups.selectors.safety_copy import overdue_schedules
from backups.services.monitor.facts import NeonFacts
from backups.services.monitor.memory import Memory


@dataclass(frozen=True)
class Scene:
    """One project at one instant. `before` is what the last cycle remembered; `now` is the database's clock."""

    now: dt.datetime
    project: Project
    branches: Sequence[ProtectedBranch]
    wanted: Mapping[int, WantedBackups]
    facts: NeonFacts
    before: Memory
    #: Keys of rows that were present before Neon was asked: only these must be in its list.
    present_before: frozenset[int] = field(default_factory=frozenset)
    copies_before: frozenset[int] = field(default_factory=frozenset)
    #: Ids of operations that an earlier cycle has judged.
    judged_operations: frozenset[str] = field(default_factory=frozenset)

    def wanted_of(self, branch: ProtectedBranch) -> WantedBackups:
        """What is declared for the branch, or its default."""
        return self.wanted[branch.pk]

    @cached_property
    def owned(self) -> list[OwnedBranch]:
        """Every branch that the portal ever made here, gone ones too."""
        return list(OwnedBranch.objects.filter(project=self.project).select_related("request__checklist"))

    @cached_property
    def safety_copies(self) -> list[SafetyCopy]:
        """Every safety copy that was ever asked for here, gone ones too."""
        return list(SafetyCopy.objects.filter(branch__project=self.project).select_related("branch"))

    @cached_property
    def owned_alive(self) -> list[OwnedBranch]:
        """Those not known to be gone and not become a governed branch themselves."""
        return [row for row in self.owned if row.fate not in {BranchFate.GONE, BranchFate.PROMOTED}]

    @cached_property
    def proofs(self) -> dict[int, Standing]:
        """What drills say of each branch."""
        return standings(self.branches, now=self.now)

    @cached_property
    def overdue_daily_copies(self) -> list[SafetySchedule]:
        """Plans of this project's branches whose newest copy is too old."""
        return [each for each in overdue_schedules(self.now) if each.branch.project_id == self.project.pk]

    @cached_property
    def former_ids(self) -> dict[int, set[str]]:
        """By the branch's key: the ids that it had at Neon before."""
        found: dict[int, set[str]] = {}
        for row in FormerBranchId.objects.filter(branch__project=self.project):
            found.setdefault(row.branch_id, set()).add(row.neon_branch_id)
        return found

    def snapshots_of(self, branch: ProtectedBranch) -> list[Snapshot]:
        """Snapshots taken of the branch under any of its ids. Raises NotTold."""
        ids = {branch.neon_branch_id} | self.former_ids.get(branch.pk, set())
        return [snapshot for snapshot in self.facts.snapshots.get() if snapshot.source_branch_id in ids]


def rule_of(item: ScheduleItem) -> Rule:
    """Neon's rule in the domain's words."""
    return Rule(item.frequency, item.hour, item.day, item.retention_seconds)
