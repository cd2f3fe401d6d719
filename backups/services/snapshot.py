"""Snapshots as Neon tells of them this minute; the portal keeps no list of its own."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backups.domain.restore import PointKind, RestorePoint
from backups.models import Project, ProtectedBranch
from backups.neon.client import NeonClient
from backups.neon.errors import NeonError
from backups.neon.snapshots import Snapshot
from backups.selectors.project import branch_names
from backups.services.neon_access import client_for
from backups.services.restore.errors import InvalidInput
from backups.services.secrets import SecretsKeyUnusable, SecretUnreadable

#: Somebody waits in front of the page.
_SECONDS = 4.0


class SnapshotGone(Exception):
    """Neon does not show the snapshot (any more), or not enough of it to restore from. Nothing was changed."""


class SnapshotsUnreadable(Exception):
    """Neon could not be asked; the message is a sentence for the page."""


@dataclass(frozen=True, slots=True)
class KnownSnapshot:
    """A snapshot that can be restored from, and the name of the branch that it was taken of."""

    id: str
    name: str
    taken_at: dt.datetime
    is_manual: bool | None
    size_bytes: int | None
    expires_at: dt.datetime | None
    source_name: str

    @property
    def point(self) -> RestorePoint:
        """As the point of a restore."""
        return RestorePoint(PointKind.SNAPSHOT, at=self.taken_at, snapshot_id=self.id, snapshot_name=self.name)


def list_snapshots(project: Project) -> list[KnownSnapshot]:
    """All snapshots of the project, newest first. Call it outside any transaction. Raises SnapshotsUnreadable."""
    try:
        with client_for(project, correlation="snapshots") as client:
            found = client.limited_to(_SECONDS).snapshots.list(project.neon_project_id)
    except (NeonError, SecretUnreadable, SecretsKeyUnusable) as error:
        raise SnapshotsUnreadable(f"Neon could not be asked for snapshots. {error}".strip()) from error
    names = branch_names(project)
    known = [_known(snapshot, at, names) for snapshot in found if (at := taken_at(snapshot)) is not None]
    return sorted(known, key=lambda snapshot: snapshot.taken_at, reverse=True)


def choose_snapshot(*, branch_id: int, snapshot_id: str) -> RestorePoint:
    """The snapshot of that id as a restore point; name and time are Neon's. Raises InvalidInput."""
    branch = ProtectedBranch.objects.select_related("project").filter(pk=branch_id).first()
    if branch is None:
        raise InvalidInput({"branch": "There is no such branch."})
    try:
        known = list_snapshots(branch.project)
    except SnapshotsUnreadable as trouble:
        raise InvalidInput({"snapshot": f"{trouble} Nothing was saved."}) from trouble
    chosen = next((snapshot for snapshot in known if snapshot.id == snapshot_id), None)
    if chosen is None:
        raise InvalidInput({"snapshot": "Neon does not show this snapshot in the branch's project. Choose another."})
    return chosen.point


def find_snapshot(client: NeonClient, project_id: str, snapshot_id: str) -> Snapshot:
    """The snapshot as Neon tells of it now. Raises SnapshotGone, NeonError."""
    found = next((each for each in client.snapshots.list(project_id) if each.id == snapshot_id), None)
    if found is None:
        raise SnapshotGone("Neon does not show this snapshot any more.")
    return found


def taken_at(snapshot: Snapshot) -> dt.datetime | None:
    """The moment whose state it holds: the chosen moment of history, else the moment at which it was taken."""
    return snapshot.timestamp or snapshot.created_at


def _known(snapshot: Snapshot, at: dt.datetime, names: dict[str, str]) -> KnownSnapshot:
    source = snapshot.source_branch_id or ""
    return KnownSnapshot(
        id=snapshot.id,
        name=snapshot.name,
        taken_at=at,
        is_manual=snapshot.manual,
        size_bytes=snapshot.full_size_bytes or snapshot.diff_size_bytes,
        expires_at=snapshot.expires_at,
        source_name=names.get(source, source),
    )
