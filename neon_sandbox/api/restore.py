"""POST .../branches/{target}/restore: the branch gets other data and keeps its id, name, endpoint and password."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from neon_sandbox import catalog_history, ids, problems
from neon_sandbox.api import shapes
from neon_sandbox.api.branches import find_branch
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.api.rules import (
    check_point,
    new_node_id,
    read_point,
    refuse_taken_name,
    refuse_too_many,
    refuse_unready,
)
from neon_sandbox.api.snapshot_rules import refuse_history_of_restored, refuse_reset_after_snapshot_restore
from neon_sandbox.archiving import Access, access
from neon_sandbox.entities import Branch, Operation
from neon_sandbox.jobs import point_arguments
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Point


@dataclass(frozen=True)
class Restore:
    target: Branch
    source: Branch
    point: Point
    preserve_under_name: str | None

    @property
    def from_itself(self) -> bool:
        return self.source.id == self.target.id


def restore_branch(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    project = find_project(plane, project_id)
    with plane.store.transaction():
        target = find_branch(plane, project_id, branch_id)
        restore = _read(plane, target, request.body())
        _refuse_forbidden(plane, restore)
        plane.refuse_if_locked(project_id)
        refuse_unready(target)
        check_point(plane, project, restore.source, restore.point)
        if restore.preserve_under_name is not None:
            refuse_taken_name(plane, project_id, restore.preserve_under_name)
            refuse_too_many(plane, project_id, another_root=target.parent_id is None)
        needed = access(plane, target, restore.source)
        operations = _accept(plane, restore, needed, request.effects)
        restored = plane.store.must(Branch, target.id)
    return Reply(200, {"branch": shapes.branch(restored), "operations": shapes.operations(operations)})


def _read(plane: Plane, target: Branch, body: Mapping[str, Any]) -> Restore:
    source_id = text_of(body, "source_branch_id")
    if source_id is None:
        raise ApiProblem(400, "invalid request: decode application/json: invalid: source_branch_id (field required)")
    source = plane.store.get(Branch, source_id)
    if source is None or source.project_id != target.project_id:
        raise problems.not_found("source branch")
    return Restore(
        target, source, read_point(body, "source_timestamp", "source_lsn"), text_of(body, "preserve_under_name")
    )


def _refuse_forbidden(plane: Plane, restore: Restore) -> None:
    target, source, point = restore.target, restore.source, restore.point
    if restore.from_itself and point.is_head:
        raise ApiProblem(400, "source_timestamp or source_lsn is required to restore a branch from its own history")
    if not point.is_head and (target.parent_id or source.parent_id):
        raise ApiProblem(422, "point-in-time restore is available for root branches only")
    if target.parent_id is not None:
        if source.id != target.parent_id:
            raise ApiProblem(422, "a child branch can be reset to the head of its parent only")
        refuse_reset_after_snapshot_restore(plane, target)
    if not point.is_head:
        refuse_history_of_restored(source)
    if (restore.from_itself or plane.children(target.id)) and restore.preserve_under_name is None:
        raise ApiProblem(422, "preserve_under_name is required for this restore")
    if target.protected and plane.settings.refuse_restore_of_protected:
        raise ApiProblem(422, "a protected branch can not be restored or reset")
    for restriction in target.restricted_actions:
        if restriction["name"] == "restore":
            raise ApiProblem(422, restriction.get("reason", "the branch can not be restored"))


def _accept(plane: Plane, restore: Restore, needed: Access, effects: Mapping[str, Any]) -> list[Operation]:
    target = restore.target
    catalog_before = {
        **catalog_history.kept(plane.catalog(target.id)),
        "states": [asdict(state) for state in catalog_history.states(plane.store, target.id)],
    }
    preserved = _preserve(plane, restore) if restore.preserve_under_name else None
    node_id = new_node_id()
    restored = _point_to_new_data(plane, restore, preserved, node_id)
    if not restore.from_itself or restore.point.timestamp is not None:
        _replace_catalog(plane, restore)
    return _schedule(plane, restore, restored, preserved, node_id, catalog_before, needed, effects)


def _preserve(plane: Plane, restore: Restore) -> Branch:
    """The state before the restore, under a new id, with the children that the target had."""
    target = restore.target
    moment = plane.moment()
    preserved = Branch(
        id=ids.branch_id(),
        project_id=target.project_id,
        name=restore.preserve_under_name or "",
        node_id=target.node_id,
        parent_id=target.parent_id,
        parent_lsn=target.parent_lsn,
        parent_timestamp=target.parent_timestamp,
        created_at=moment,
        updated_at=moment,
        state_changed_at=moment,
        history_from=target.history_from,
        history_from_lsn=target.history_from_lsn,
        current_state="init",
        pending_state="ready",
        kept_for_history=target.parent_id is None and not restore.from_itself,
    )
    plane.store.put(preserved)
    plane.copy_catalog(target.id, preserved.id, until=None)
    history = catalog_history.states(plane.store, target.id)
    catalog_history.replace_history(plane.store, preserved.id, history)
    for child in plane.children(target.id):
        plane.change_branch(child, parent_id=preserved.id)
    return preserved


def _point_to_new_data(plane: Plane, restore: Restore, preserved: Branch | None, node_id: str) -> Branch:
    target = restore.target
    is_child = target.parent_id is not None
    life = target.ttl_interval_seconds
    return plane.change_branch(
        target,
        node_id=node_id,
        last_reset_at=plane.moment(),
        current_state="resetting",
        pending_state="ready",
        parent_id=preserved.id if is_child and preserved else target.parent_id,
        history_from=plane.clock.now() if is_child else min(restore.source.history_from, target.history_from),
        expires_at=plane.clock.now() + timedelta(seconds=life) if life else target.expires_at,
    )


def _replace_catalog(plane: Plane, restore: Restore) -> None:
    """Roles and databases go back as well, with the passwords of then."""
    target, source, until = restore.target, restore.source, restore.point.timestamp
    history = catalog_history.history_until(plane.store, source.id, until)
    plane.copy_catalog(source.id, target.id, until=until)
    catalog_history.replace_history(plane.store, target.id, history)


def _schedule(
    plane: Plane,
    restore: Restore,
    restored: Branch,
    preserved: Branch | None,
    node_id: str,
    catalog_before: Mapping[str, Any],
    needed: Access,
    effects: Mapping[str, Any],
) -> list[Operation]:
    target = restore.target
    endpoint = plane.endpoint_of(target.id)
    was_active = endpoint is not None and endpoint.current_state == "active"
    planned = [*needed.planned, Planned("create_branch", target.id)]
    if endpoint is not None:
        planned.append(Planned("start_compute" if was_active else "apply_config", target.id, endpoint.id))
    arguments = {
        "branch_id": target.id,
        "unarchived_ids": needed.branch_ids,
        "node_id": node_id,
        "old_node_id": target.node_id,
        "source_node_id": restore.source.node_id,
        "point": point_arguments(restore.point),
        "node_ids": [node_id, target.node_id, restore.source.node_id],
        "endpoint_id": endpoint.id if endpoint else None,
        "was_active": was_active,
        "preserved_id": preserved.id if preserved else None,
        "catalog_before": catalog_before,
        "before": {
            "last_reset_at": target.last_reset_at,
            "parent_id": target.parent_id,
            "expires_at": target.expires_at,
            "history_from": target.history_from,
        },
    }
    operations = plane.schedule(restored.project_id, "restore_branch", planned, arguments, effects)
    if endpoint is not None:
        plane.change_endpoint(endpoint, pending_state="active" if was_active else "idle")
    return operations
