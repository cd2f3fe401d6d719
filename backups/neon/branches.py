"""Branches: read, create, change, delete, restore."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backups.neon import wire
from backups.neon.calls import NO_CONTENT, Caller
from backups.neon.paging import PAGE_SIZE, pages
from backups.neon.results import BranchChange, OperationsStarted
from backups.neon.sending import checked_name, new_expiry, one_point, without_none
from backups.neon.types import Branch
from backups.neon.wire import Raw


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """The compute of a new branch. Without one, nothing can connect to the branch."""

    type: str = "read_write"
    autoscaling_limit_min_cu: float | None = None
    autoscaling_limit_max_cu: float | None = None
    suspend_timeout_seconds: int | None = None

    def body(self) -> dict[str, Any]:
        return without_none(
            type=self.type,
            autoscaling_limit_min_cu=self.autoscaling_limit_min_cu,
            autoscaling_limit_max_cu=self.autoscaling_limit_max_cu,
            suspend_timeout_seconds=self.suspend_timeout_seconds,
        )


class Branches:
    def __init__(self, caller: Caller, *, page_size: int = PAGE_SIZE) -> None:
        self._caller = caller
        self._page_size = page_size

    def list(self, project_id: str) -> tuple[Branch, ...]:
        """All branches, oldest first."""
        found: dict[str, Branch] = {}
        # In order of creation, because a branch that changes while we page must not slip to a page
        # that was read already.
        order = {"sort_by": "created_at", "sort_order": "asc"}
        for page in pages(
            self._caller,
            "branches.list",
            _branches_of,
            cursor="next",
            params=order,
            page_size=self._page_size,
            project_id=project_id,
        ):
            found |= {branch.id: branch for branch in page}
        return tuple(found.values())

    def get(self, project_id: str, branch_id: str) -> Branch:
        """Raises NeonNotFound; also for a moment after the branch was created."""
        return self._caller.read("branches.get", _branch_with_annotation, project_id=project_id, branch_id=branch_id)

    def count(self, project_id: str, *, search: str | None = None) -> int:
        """How many there are, or how many whose name or id contains `search`."""
        params = {} if search is None else {"search": search}
        return self._caller.read("branches.count", _count_of, params, project_id=project_id)

    def find_by_name(self, project_id: str, name: str) -> Branch | None:
        """The branch of exactly this name. Neon's own search matches parts of names and ids, so the
        whole list is read."""
        return next((b for b in self.list(project_id) if b.name == name), None)

    def create(
        self,
        project_id: str,
        *,
        name: str,
        parent_id: str,
        parent_timestamp: datetime | None = None,
        parent_lsn: str | None = None,
        endpoint: NewEndpoint | None = None,
        expires_at: datetime | None = None,
        annotation: Mapping[str, str] | None = None,
        protected: bool | None = None,
        request_id: str | None = None,
    ) -> BranchChange:
        """A new branch from the parent's head, or from a moment or an LSN of its history.

        `name` should be unique and known beforehand: after OutcomeUnknown it is how to look it up.
        """
        point = one_point(parent_timestamp, parent_lsn, "parent_timestamp", "parent_lsn")
        branch = without_none(
            name=checked_name(name),
            parent_id=wire.checked_id(parent_id),
            protected=protected,
            expires_at=None if expires_at is None else wire.format_expiry(expires_at),
        )
        body: dict[str, Any] = {
            "branch": branch | point,
            "endpoints": [] if endpoint is None else [endpoint.body()],
        }
        if annotation:
            body["annotation_value"] = dict(annotation)
        return self._caller.change(
            "branches.create", BranchChange.of, body, request_id=request_id, project_id=project_id
        )

    def update(
        self,
        project_id: str,
        branch_id: str,
        *,
        name: str | None = None,
        protected: bool | None = None,
        expires_at: datetime | None = None,
        never_expires: bool = False,
        request_id: str | None = None,
    ) -> BranchChange:
        """Change what is given. `never_expires` takes an expiry away."""
        branch = without_none(name=None if name is None else checked_name(name), protected=protected)
        branch |= new_expiry(expires_at, never_expires, "branch")
        if not branch:
            raise ValueError("nothing to change")
        return self._change("branches.update", project_id, branch_id, {"branch": branch}, request_id)

    def delete(self, project_id: str, branch_id: str, *, request_id: str | None = None) -> BranchChange:
        """For good. `branch` of the result is None when there was none to delete."""
        return self._caller.change(
            "branches.delete", _deleted, request_id=request_id, project_id=project_id, branch_id=branch_id
        )

    def set_as_default(self, project_id: str, branch_id: str, *, request_id: str | None = None) -> BranchChange:
        return self._change("branches.set_as_default", project_id, branch_id, None, request_id)

    def restore(
        self,
        project_id: str,
        *,
        target_branch_id: str,
        source_branch_id: str,
        preserve_under_name: str,
        source_timestamp: datetime | None = None,
        source_lsn: str | None = None,
        request_id: str | None = None,
    ) -> BranchChange:
        """Overwrite the whole of the target with the source, at its head or at a moment or an LSN.

        `preserve_under_name` is optional at Neon and required here: without it the state before the
        restore is lost, and after OutcomeUnknown there would be nothing to look up.
        """
        point = one_point(source_timestamp, source_lsn, "source_timestamp", "source_lsn")
        if target_branch_id == source_branch_id and not point:
            raise ValueError("a branch restored from itself needs a timestamp or an LSN")
        body = {
            "source_branch_id": wire.checked_id(source_branch_id),
            "preserve_under_name": checked_name(preserve_under_name),
        } | point
        return self._change("branches.restore", project_id, target_branch_id, body, request_id)

    def finalize_restore(
        self, project_id: str, branch_id: str, *, name: str | None = None, request_id: str | None = None
    ) -> OperationsStarted:
        """Put a branch made by `snapshots.restore` with `finalize=False` in the place of the branch that it was
        restored for: it takes over name, computes, protection and schedule. The replaced branch keeps its id and
        is called `name`, or "<its name> (old)". Afterwards a restore to a point in time is refused here."""
        body = None if name is None else {"name": checked_name(name)}
        return self._caller.change(
            "branches.finalize_restore",
            OperationsStarted.of,
            body,
            request_id=request_id,
            project_id=project_id,
            branch_id=branch_id,
        )

    def _change(
        self, name: str, project_id: str, branch_id: str, body: Mapping[str, Any] | None, request_id: str | None
    ) -> BranchChange:
        return self._caller.change(
            name, BranchChange.of, body, request_id=request_id, project_id=project_id, branch_id=branch_id
        )


def _branch_with_annotation(raw: Raw) -> Branch:
    annotation = raw.get("annotation")
    return Branch.of(wire.object_in(raw, "branch"), annotation if isinstance(annotation, dict) else None)


def _count_of(raw: Raw) -> int:
    count = wire.integer(raw, "count")
    if count is None:
        raise wire.UnusableShape("no count")
    return count


def _branches_of(page: Raw) -> tuple[Branch, ...]:
    listed = page.get("annotations")
    annotations = listed if isinstance(listed, dict) else {}
    return tuple(Branch.of(raw, annotations.get(raw.get("id"))) for raw in wire.objects_in(page, "branches"))


def _deleted(raw: Raw, request_id: str) -> BranchChange:
    if raw is NO_CONTENT:
        # There was no such branch any more, so nothing is under way.
        return BranchChange(None, (), (), request_id)
    return BranchChange.of(raw, request_id)
