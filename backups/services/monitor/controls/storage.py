"""How much is stored, and whether it grows as if something were wrong."""

from __future__ import annotations

from collections.abc import Sequence

from backups.domain.monitor import FindingCode, Observation
from backups.selectors.trend import STORAGE, trend_of
from backups.services.monitor.facts import NotTold
from backups.services.monitor.scene import Scene

_AHEAD_DAYS = 30
#: Below this a doubling is nobody's worry.
_LEAST_BYTES = 10**9


def growth(scene: Scene) -> Sequence[Observation]:
    """A straight line through the last samples; more than double in 30 days is told. A young series says nothing."""
    size = scene.facts.project.get().synthetic_storage_size_bytes
    if size is None:
        raise NotTold("Neon did not tell how much is stored.")
    line = trend_of(scene.project, STORAGE, now=scene.now).line
    if line is None or size < _LEAST_BYTES:
        return []
    ahead = line.in_days(float(size), _AHEAD_DAYS)
    if ahead <= 2 * size:
        return []
    sentence = (
        f"{size / 10**9:.1f} GB are stored; a straight line through the last {line.spans_seconds / 86_400:.0f} days "
        f"leads to {ahead / 10**9:.1f} GB in {_AHEAD_DAYS} days."
    )
    evidence = {"bytes": size, "bytes_a_day": round(line.per_day), "samples": line.samples}
    return [Observation(code=FindingCode.STORAGE_GROWTH, subject="storage", sentence=sentence, evidence=evidence)]
