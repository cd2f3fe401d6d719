"""Is Neon there, is the key good, does the project exist, does its quota last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backups.domain.monitor import FindingCode, Observation
from backups.neon.errors import NeonForbidden, NeonKeyRejected, NeonNotFound
from backups.neon.types import Project
from backups.services.monitor.scene import Scene

#: A quota that is used up to this part is nearly used up.
_NEAR = 0.9


def reachable(scene: Scene) -> Sequence[Observation]:
    """Neon answers, takes the key and shows the project. Silence is unknown, a refusal is a finding."""
    error = scene.facts.project.error
    project_id = scene.project.neon_project_id
    if isinstance(error, NeonKeyRejected | NeonForbidden):
        sentence = (
            "Neon refuses the stored API key. Nothing can be seen, and no restore can be made, until it is replaced."
        )
        return [Observation(code=FindingCode.KEY_REJECTED, subject=project_id, sentence=sentence)]
    if isinstance(error, NeonNotFound):
        sentence = "Neon knows no such project, or hides it from this key. It may have been deleted."
        return [Observation(code=FindingCode.PROJECT_HIDDEN, subject=project_id, sentence=sentence)]
    scene.facts.project.get()
    return []


def quota(scene: Scene) -> Sequence[Observation]:
    """When a quota is used up, Neon stops every compute of the project until the period ends."""
    return list(_quotas(scene.facts.project.get()))


def _quotas(project: Project) -> Iterator[Observation]:
    for name, limit in project.quota.items():
        used = project.used(name)
        if not limit or used is None or used < limit * _NEAR:
            continue
        exceeded = used >= limit
        percent = round(100 * used / limit)
        words = name.replace("_", " ")
        consequence = "Neon suspends the project's computes; nothing can connect." if exceeded else "It ends soon."
        yield Observation(
            code=FindingCode.QUOTA_EXCEEDED if exceeded else FindingCode.QUOTA_NEAR,
            subject=name,
            sentence=f"{percent} % of the quota of {words} is used in this billing period. {consequence}",
            evidence={"quota": name, "used": used, "limit": limit},
        )
