"""Snapshots: take, list, change, delete, restore."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.results import BranchChange, OperationsStarted, operations_of
from backups.neon.sending import checked_name, new_expiry, one_point
from backups.neon.types import Operation
from backups.neon.wire import Raw

_SLUG = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a root branch at one moment, kept apart from the branch's history.

    `source_branch_id` is the branch it was taken of, which after a restore is the replaced one. `manual` is False
    for one that a schedule took. Sizes are None as long as Neon has not worked them out.
    """

    id: str
    name: str
    slug: str | None
    lsn: str | None
    timestamp: datetime | None
    source_branch_id: str | None
    expires_at: datetime | None
    manual: bool | None
    full_size_bytes: int | None
    diff_size_bytes: int | None
    created_at: datetime | None

    @classmethod
    def of(cls, raw: Raw) -> Snapshot:
        return cls(
            id=wire.required_text(raw, "id"),
            name=wire.required_text(raw, "name"),
            slug=wire.text(raw, "slug"),
            lsn=wire.text(raw, "lsn"),
            timestamp=wire.moment(raw, "timestamp"),
            source_branch_id=wire.text(raw, "source_branch_id"),
            # None means that it is kept for ever, which must not be concluded from what can't be read.
            expires_at=wire.strict_moment(raw, "expires_at"),
            manual=wire.boolean(raw, "manual"),
            full_size_bytes=wire.integer(raw, "full_size"),
            diff_size_bytes=wire.integer(raw, "diff_size"),
            created_at=wire.moment(raw, "created_at"),
        )


@dataclass(frozen=True, slots=True)
class SnapshotChange:
    """An accepted change of a snapshot. It is done only when all `operations` are; an update has none."""

    snapshot: Snapshot
    operations: tuple[Operation, ...]
    request_id: str

    @property
    def operation_ids(self) -> tuple[str, ...]:
        return tuple(operation.id for operation in self.operations)


class Snapshots:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self, project_id: str) -> tuple[Snapshot, ...]:
        """All snapshots of the project. Neon has no pages here, no filter, and no way to ask for one."""
        return self._caller.read("snapshots.list", _listed, project_id=project_id)

    def find_by_name(self, project_id: str, name: str) -> Snapshot | None:
        """The snapshot of exactly this name."""
        return next((s for s in self.list(project_id) if s.name == name), None)

    def create(
        self,
        project_id: str,
        *,
        branch_id: str,
        name: str,
        timestamp: datetime | None = None,
        lsn: str | None = None,
        expires_at: datetime | None = None,
        slug: str | None = None,
        request_id: str | None = None,
    ) -> SnapshotChange:
        """A snapshot of a root branch at its head, or at a moment or an LSN of its history.

        `name` should be unique and known beforehand: after OutcomeUnknown it is how to look it up. Without
        `expires_at` it is kept, and charged, until it is deleted. Neon never changes a `slug`.
        """
        params = {"name": checked_name(name, "snapshot")} | one_point(timestamp, lsn, "timestamp", "lsn")
        if expires_at is not None:
            params["expires_at"] = wire.format_expiry(expires_at)
        if slug is not None:
            params["slug"] = _checked_slug(slug)
        # Neon reads the query only, and ignores a body without a word.
        return self._caller.change(
            "snapshots.create",
            _created,
            params=params,
            request_id=request_id,
            project_id=project_id,
            branch_id=branch_id,
        )

    def update(
        self,
        project_id: str,
        snapshot_id: str,
        *,
        name: str | None = None,
        expires_at: datetime | None = None,
        never_expires: bool = False,
        request_id: str | None = None,
    ) -> SnapshotChange:
        """Change what is given. `never_expires` takes an expiry away."""
        changes: dict[str, Any] = {} if name is None else {"name": checked_name(name, "snapshot")}
        changes |= new_expiry(expires_at, never_expires, "snapshot")
        if not changes:
            raise ValueError("nothing to change")
        return self._caller.change(
            "snapshots.update",
            _updated,
            {"snapshot": changes},
            request_id=request_id,
            project_id=project_id,
            snapshot_id=snapshot_id,
        )

    def delete(self, project_id: str, snapshot_id: str, *, request_id: str | None = None) -> OperationsStarted:
        """For good. NeonNotFound when there is none to delete (any more)."""
        return self._caller.change(
            "snapshots.delete",
            OperationsStarted.of,
            request_id=request_id,
            project_id=project_id,
            snapshot_id=snapshot_id,
        )

    def restore(
        self,
        project_id: str,
        snapshot_id: str,
        *,
        target_branch_id: str,
        finalize: bool,
        name: str | None = None,
        request_id: str | None = None,
    ) -> BranchChange:
        """Make a new branch of the snapshot; with `finalize` it takes the place of the target at once.

        Without `finalize` nothing happens to the target before `branches.finalize_restore`, and `name` is required:
        it is how to look the new branch up. With it, the new branch takes over name and computes of the target,
        and the target is left without computes under another name. Branch ids change, hosts do not.

        `target_branch_id` is optional at Neon and required here: Neon's choice is the branch that the snapshot was
        taken of, which after an earlier restore is the replaced one.
        """
        if name is None and not finalize:
            raise ValueError("a preview needs a name by which it can be found")
        body: dict[str, Any] = {} if name is None else {"name": checked_name(name)}
        body |= {"target_branch_id": wire.checked_id(target_branch_id), "finalize_restore": finalize}
        return self._caller.change(
            "snapshots.restore",
            BranchChange.of,
            body,
            request_id=request_id,
            project_id=project_id,
            snapshot_id=snapshot_id,
        )


def _checked_slug(slug: str) -> str:
    if not _SLUG.fullmatch(slug):
        raise ValueError("a slug has 1 to 63 lower-case letters, digits and hyphens, and starts with a letter")
    return slug


def _listed(raw: Raw) -> tuple[Snapshot, ...]:
    return tuple(Snapshot.of(item) for item in wire.objects_in(raw, "snapshots"))


def _created(raw: Raw, request_id: str) -> SnapshotChange:
    return SnapshotChange(Snapshot.of(wire.object_in(raw, "snapshot")), operations_of(raw), request_id)


def _updated(raw: Raw, request_id: str) -> SnapshotChange:
    return SnapshotChange(Snapshot.of(wire.object_in(raw, "snapshot")), (), request_id)
