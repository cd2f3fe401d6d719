"""Branches: read, create, change, delete, restore."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backups.neon import wire
from backups.neon.calls import NO_CONTENT, Caller
from backups.neon.paging import PAGE_SIZE, pages
from backups.neon.results import BranchChange
from backups.neon.types import Branch, Endpoint, Operation
from backups.neon.wire import Raw


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """The compute of a new branch. Without one, nothing can connect to the branch."""

    type: str = "read_write"
    autoscaling_limit_min_cu: float | None = None
    autoscaling_limit_max_cu: float | None = None
    suspend_timeout_seconds: int | None = None

    def body(self) -> dict[str, Any]:
        return _without_none(
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
            _path(project_id),
            _branches_of,
            cursor="next",
            params=order,
            page_size=self._page_size,
        ):
            found |= {branch.id: branch for branch in page}
        return tuple(found.values())

    def get(self, project_id: str, branch_id: str) -> Branch:
        """Raises NeonNotFound; also for a moment after the branch was created."""
        return self._caller.read(_path(project_id, branch_id), _branch_with_annotation)

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
        point = _point(parent_timestamp, parent_lsn, "parent_timestamp", "parent_lsn")
        branch = _without_none(
            name=_checked_name(name),
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
        return self._caller.change("create_branch", "POST", _path(project_id), _changed, body, request_id=request_id)

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
        if never_expires and expires_at is not None:
            raise ValueError("a branch either expires or it does not")
        branch = _without_none(
            name=None if name is None else _checked_name(name),
            protected=protected,
            expires_at=None if expires_at is None else wire.format_expiry(expires_at),
        )
        if never_expires:
            branch["expires_at"] = None
        if not branch:
            raise ValueError("nothing to change")
        path = _path(project_id, branch_id)
        return self._caller.change("update_branch", "PATCH", path, _changed, {"branch": branch}, request_id=request_id)

    def delete(self, project_id: str, branch_id: str, *, request_id: str | None = None) -> BranchChange:
        """For good. `branch` of the result is None when there was none to delete."""
        path = _path(project_id, branch_id)
        return self._caller.change("delete_branch", "DELETE", path, _deleted, request_id=request_id)

    def set_as_default(self, project_id: str, branch_id: str, *, request_id: str | None = None) -> BranchChange:
        path = f"{_path(project_id, branch_id)}/set_as_default"
        return self._caller.change("set_branch_as_default", "POST", path, _changed, request_id=request_id)

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
        point = _point(source_timestamp, source_lsn, "source_timestamp", "source_lsn")
        if target_branch_id == source_branch_id and not point:
            raise ValueError("a branch restored from itself needs a timestamp or an LSN")
        body = {
            "source_branch_id": wire.checked_id(source_branch_id),
            "preserve_under_name": _checked_name(preserve_under_name),
        } | point
        path = f"{_path(project_id, target_branch_id)}/restore"
        return self._caller.change("restore_branch", "POST", path, _changed, body, request_id=request_id)


def _path(project_id: str, branch_id: str | None = None) -> str:
    path = f"/projects/{wire.checked_id(project_id)}/branches"
    return path if branch_id is None else f"{path}/{wire.checked_id(branch_id)}"


def _point(timestamp: datetime | None, lsn: str | None, timestamp_key: str, lsn_key: str) -> dict[str, str]:
    if timestamp is not None and lsn is not None:
        raise ValueError("a point is a timestamp or an LSN, not both")
    if timestamp is not None:
        return {timestamp_key: wire.format_point(timestamp)}
    return {} if lsn is None else {lsn_key: wire.checked_lsn(lsn)}


def _checked_name(name: str) -> str:
    if not 1 <= len(name) <= 256:
        raise ValueError("the name of a branch has 1 to 256 characters")
    return name


def _without_none(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _branch_with_annotation(raw: Raw) -> Branch:
    annotation = raw.get("annotation")
    return Branch.of(wire.object_in(raw, "branch"), annotation if isinstance(annotation, dict) else None)


def _branches_of(page: Raw) -> tuple[Branch, ...]:
    listed = page.get("annotations")
    annotations = listed if isinstance(listed, dict) else {}
    return tuple(Branch.of(raw, annotations.get(raw.get("id"))) for raw in wire.objects_in(page, "branches"))


def _changed(raw: Raw, request_id: str) -> BranchChange:
    endpoints = wire.objects_in(raw, "endpoints") if raw.get("endpoints") is not None else ()
    return BranchChange(
        branch=Branch.of(wire.object_in(raw, "branch")),
        endpoints=tuple(Endpoint.of(item) for item in endpoints),
        operations=tuple(Operation.of(item) for item in wire.objects_in(raw, "operations")),
        request_id=request_id,
    )


def _deleted(raw: Raw, request_id: str) -> BranchChange:
    if raw is NO_CONTENT:
        # There was no such branch any more, so nothing is under way.
        return BranchChange(None, (), (), request_id)
    return _changed(raw, request_id)
