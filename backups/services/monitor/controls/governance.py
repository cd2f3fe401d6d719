"""The register of production projects: said by two people, and read again in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from backups.domain.monitor import FindingCode, Observation
from backups.domain.policy import Environment
from backups.models import Project
from backups.selectors.governance import register
from backups.services.monitor.scene import Scene


def registered(scene: Scene) -> Sequence[Observation]:
    """What an auditor would miss of a project with production in it."""
    production = any(branch.environment is Environment.PRODUCTION for branch in scene.branches)
    return findings_about(scene.project, production=production, now=scene.now)


def findings_about(project: Project, *, production: bool, now: dt.datetime) -> list[Observation]:
    """Nothing is asked of a sandbox, which holds nobody's data."""
    if project.is_sandbox or not production:
        return []
    gaps = register(now, project)[0].gaps
    sentence = f"The governance register of {project.name}: {' '.join(gaps)}"
    return [Observation(code=FindingCode.GOVERNANCE_DUE, subject="register", sentence=sentence[:400])] if gaps else []
