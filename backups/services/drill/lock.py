"""A drill's row, locked."""

from __future__ import annotations

from backups.models import Drill


def lock_drill(drill_id: int) -> Drill:
    """The row, locked until the transaction ends. Where the run's row is locked too, that one comes first."""
    return (
        Drill.objects.select_for_update(of=("self",))
        .select_related("project", "branch__project", "plan__branch__project")
        .get(pk=drill_id)
    )
