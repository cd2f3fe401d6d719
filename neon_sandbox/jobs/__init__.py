"""What happens behind each accepted call. Work may be repeated after a kill, so each step looks before it acts."""

from __future__ import annotations

from collections.abc import Mapping

from neon_sandbox.jobs import branches, catalog, endpoints, projects, restore, snapshots
from neon_sandbox.jobs.kind import JobKind, point_arguments

__all__ = ["KINDS", "JobKind", "point_arguments"]

KINDS: Mapping[str, JobKind] = {
    **branches.KINDS,
    **restore.KINDS,
    **endpoints.KINDS,
    **catalog.KINDS,
    **snapshots.KINDS,
    **projects.KINDS,
    "foreign": JobKind(),
}
