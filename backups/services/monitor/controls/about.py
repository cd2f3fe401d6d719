"""An observation about one branch, weighed by what the branch is used for."""

from __future__ import annotations

from typing import Any

from backups.domain.monitor import KINDS, FindingCode, Observation, Severity, weight_in
from backups.models import ProtectedBranch


def about_branch(
    branch: ProtectedBranch, code: FindingCode, sentence: str, *, severity: Severity | None = None, **evidence: Any
) -> Observation:
    """Milder in staging, a notice in development. `severity` is that in production."""
    return Observation(
        code=code,
        subject=branch.neon_branch_id,
        sentence=sentence[:400],
        evidence=evidence,
        severity=weight_in(branch.environment, severity or KINDS[code].severity),
        branch_id=branch.pk,
    )
