"""One comparison of two looks under way: who is meant, what was found, and what is to be remembered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backups.domain.monitor import FindingCode, Observation, Severity, weight_in
from backups.models import ProtectedBranch
from backups.neon.types import Operation
from backups.services.monitor.explanations import Explanations
from backups.services.monitor.memory import Memory
from backups.services.monitor.scene import Scene

#: Operations younger than this may be younger than the list of branches that was read before them.
SETTLED_AFTER = dt.timedelta(seconds=2)


@dataclass
class Comparison:
    """One comparison under way: what was found, and what is to be remembered."""

    scene: Scene
    explained: Explanations
    seen: Memory
    found: list[Observation] = field(default_factory=list)
    #: Ids of branches whose remembered state must stay, because an order is not settled.
    undecided: set[str] = field(default_factory=set)
    #: Ids of operations that belong to a change which is reported already.
    covered: set[str] = field(default_factory=set)

    @property
    def before(self) -> Memory:
        return self.scene.before

    def governed(self, neon_branch_id: str) -> ProtectedBranch | None:
        """The branch in care that has, or had, this id."""
        former = self.scene.former_ids
        return next(
            (
                branch
                for branch in self.scene.branches
                if branch.neon_branch_id == neon_branch_id or neon_branch_id in former.get(branch.pk, ())
            ),
            None,
        )

    def report(
        self,
        code: FindingCode,
        neon_branch_id: str,
        *,
        subject: str,
        sentence: str,
        evidence: Mapping[str, Any],
        severity: Severity,
    ) -> None:
        """One change that nothing explains."""
        branch = self.governed(neon_branch_id)
        weight = weight_in(branch.environment, severity) if branch is not None else severity
        between = [text_of(self.before.at), text_of(self.scene.now)]
        self.found.append(
            Observation(
                code=code,
                subject=subject,
                sentence=sentence[:400],
                evidence={"branch": neon_branch_id, "between": between} | dict(evidence),
                severity=weight,
                branch_id=branch.pk if branch is not None else None,
            )
        )

    def foreign_operations(self, neon_branch_id: str) -> list[Operation]:
        """Operations on the branch since the last look that no order of ours began."""
        listed, judged = self.scene.facts.operations.value or (), self.scene.judged_operations
        here = [each for each in listed if each.branch_id == neon_branch_id and each.id not in judged]
        return self.explained.foreign(here)

    @property
    def settled(self) -> dt.datetime:
        """Operations of later than this may be younger than the list of branches."""
        return self.scene.facts.read_at - SETTLED_AFTER


def text_of(at: dt.datetime | None) -> str:
    """A time as evidence holds it."""
    return "unknown" if at is None else at.astimezone(dt.UTC).isoformat(timespec="seconds")
