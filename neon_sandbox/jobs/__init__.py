"""What happens behind each accepted call. Work may be repeated after a kill, so each step looks before it acts."""

from __future__ import annotations

from collections.abc import Mapping

from neon_sandbox.jobs import archiving, branches, catalog, endpoints, projects, restore, snapshots
from neon_sandbox.jobs.kind import JobKind, Step, point_arguments

__all__ = ["KINDS", "JobKind", "point_arguments", "settle_of"]

KINDS: Mapping[str, JobKind] = {
    **archiving.KINDS,
    **branches.KINDS,
    **restore.KINDS,
    **endpoints.KINDS,
    **catalog.KINDS,
    **snapshots.KINDS,
    **projects.KINDS,
    "foreign": JobKind(),
}
# Operations that go in front of other work: what they mean does not depend on the kind of job.
_EVERYWHERE: Mapping[str, Step] = {"timeline_unarchive": archiving.brought_back}


def settle_of(kind: JobKind, action: str) -> Step | None:
    return kind.settle.get(action) or _EVERYWHERE.get(action)
