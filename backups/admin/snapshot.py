"""Snapshots as pages show them: read from Neon while the reader waits, or the sentence that says why not."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from backups.admin import words
from backups.models import Project
from backups.services.snapshot import KnownSnapshot, SnapshotsUnreadable, list_snapshots


@dataclass(frozen=True, slots=True)
class ShownSnapshots:
    """`trouble` is empty when Neon could be asked; the list then holds every snapshot of the project."""

    project: Project
    found: list[KnownSnapshot]
    trouble: str = ""


def snapshots_of(project: Project) -> ShownSnapshots:
    """What Neon shows at this moment. Unknown is said as unknown, never as none."""
    try:
        return ShownSnapshots(project, list_snapshots(project))
    except SnapshotsUnreadable as trouble:
        return ShownSnapshots(project, [], str(trouble))


def snapshot_choices(shown: list[ShownSnapshots]) -> list[tuple[str, str]]:
    """For a select: name first, then when it was taken, of what and how; the project where there are several."""
    several = len(shown) > 1
    return [
        (each.id, f"{one.project.name} / {_label(each)}" if several else _label(each))
        for one in shown
        for each in one.found
    ]


def troubles(shown: list[ShownSnapshots]) -> list[str]:
    """A sentence for each project whose snapshots are not known."""
    several = len(shown) > 1
    return [f"{one.project.name}: {one.trouble}" if several else one.trouble for one in shown if one.trouble]


def _label(snapshot: KnownSnapshot) -> str:
    ago = words.distance(snapshot.taken_at, timezone.now())
    parts = [snapshot.name, f"taken {ago}", words.utc_stamp(snapshot.taken_at), f"of {snapshot.source_name}"]
    parts.append(words.TAKEN_BY[snapshot.is_manual])
    if snapshot.size_bytes is not None:
        parts.append(words.size(snapshot.size_bytes))
    if snapshot.expires_at is not None:
        parts.append(f"expires {words.utc_stamp(snapshot.expires_at)}")
    return " · ".join(parts)
