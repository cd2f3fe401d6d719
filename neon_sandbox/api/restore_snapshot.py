"""A snapshot becomes a branch, which takes the place of its target at once or when it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from neon_sandbox import catalog_history, ids, problems
from neon_sandbox.api import shapes
from neon_sandbox.api.branches import find_branch
from neon_sandbox.api.endpoints import new_endpoint
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request, flag_of, text_of
from neon_sandbox.api.rules import new_node_id, refuse_taken_name, refuse_too_many, refuse_unready
from neon_sandbox.api.snapshot_rules import STILL_ONGOING, free_name
from neon_sandbox.api.snapshots import find_snapshot
from neon_sandbox.archiving import access
from neon_sandbox.entities import Branch, Endpoint, Operation, Snapshot
from neon_sandbox.jobs import point_arguments
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Point


@dataclass(frozen=True)
class _Restore:
    snapshot: Snapshot
    target: Branch
    name: str
    finalize: bool


def restore_snapshot(plane: Plane, request: Request, project_id: str, snapshot_id: str) -> Reply:
    find_project(plane, project_id)
    with plane.store.transaction():
        restore = _read(plane, request, find_snapshot(plane, project_id, snapshot_id))
        plane.refuse_if_locked(project_id)
        refuse_unready(restore.target)
        refuse_taken_name(plane, project_id, restore.name)
        refuse_too_many(plane, project_id, another_root=True)
        branch = _new_root(plane, restore)
        body: dict[str, Any] = {"branch": shapes.branch(branch)}
        if restore.finalize:
            operations = _schedule_one_step(plane, restore, branch, request.effects)
        else:
            endpoint = _preview_endpoint(plane, restore, branch)
            operations = _schedule_preview(plane, restore, branch, endpoint, request.effects)
            body["endpoints"] = [shapes.endpoint(endpoint)]
    return Reply(200, {**body, "operations": shapes.operations(operations)})


def finalize_restore(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    old_name = text_of(request.body(), "name")
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        plane.refuse_if_locked(project_id)
        target = _target_of(plane, branch)
        refuse_unready(branch)
        refuse_unready(target)
        if old_name is not None:
            refuse_taken_name(plane, project_id, old_name)
        operations = _schedule_finalize(plane, branch, target, old_name, request.effects)
    return Reply(200, {"operations": shapes.operations(operations)})


def _read(plane: Plane, request: Request, snapshot: Snapshot) -> _Restore:
    body = request.body()
    target = _wanted_target(plane, snapshot, text_of(body, "target_branch_id"))
    # In the query it is deprecated, and still understood.
    name = text_of(body, "name") or text_of(request.query, "name")
    if not name:
        taken = {branch.name for branch in plane.branches(snapshot.project_id)}
        name = free_name(taken, f"{target.name} restored from {snapshot.name}"[:240])
    return _Restore(snapshot, target, name, finalize=flag_of(body, "finalize_restore") or False)


def _wanted_target(plane: Plane, snapshot: Snapshot, target_id: str | None) -> Branch:
    target = plane.store.get(Branch, target_id or snapshot.source_branch_id)
    if target is None and target_id is None:
        raise ApiProblem(422, "the branch of the snapshot no longer exists: target_branch_id is required")
    if target is None or target.project_id != snapshot.project_id:
        raise problems.not_found("target branch")
    return target


def _target_of(plane: Plane, branch: Branch) -> Branch:
    if branch.restored_from is None or branch.restore_status != "restored":
        raise ApiProblem(422, "the branch is not waiting for its restore from a snapshot to be finalized")
    target = plane.store.get(Branch, branch.restored_as or "")
    if target is None:
        raise ApiProblem(422, "the branch to be replaced no longer exists")
    return target


def _new_root(plane: Plane, restore: _Restore) -> Branch:
    moment = plane.moment()
    branch = Branch(
        id=ids.branch_id(),
        project_id=restore.target.project_id,
        name=restore.name,
        node_id=new_node_id(),
        created_at=moment,
        updated_at=moment,
        state_changed_at=moment,
        history_from=moment,
        current_state="init",
        pending_state="ready",
        restore_status="restored",
        restored_from=restore.snapshot.id,
        restored_as=restore.target.id,
        restricted_actions=[{"name": "restore", "reason": STILL_ONGOING}],
    )
    plane.store.put(branch)
    catalog_history.replace_catalog(plane.store, branch.id, catalog_history.revived(restore.snapshot.catalog))
    return branch


def _preview_endpoint(plane: Plane, restore: _Restore, branch: Branch) -> Endpoint:
    """A compute of its own, as large as the target's, until the target's is moved here."""
    like = plane.endpoint_of(restore.target.id)
    endpoint = new_endpoint(plane, branch, {})
    if like is not None:
        endpoint = replace(
            endpoint,
            min_cu=like.min_cu,
            max_cu=like.max_cu,
            suspend_timeout_seconds=like.suspend_timeout_seconds,
        )
        plane.store.put(endpoint)
    return endpoint


def _schedule_preview(
    plane: Plane, restore: _Restore, branch: Branch, endpoint: Endpoint, effects: Mapping[str, Any]
) -> list[Operation]:
    planned = [Planned("create_branch", branch.id), Planned("start_compute", branch.id, endpoint.id)]
    arguments = {**_making(restore, branch), "endpoint_id": endpoint.id}
    return plane.schedule(branch.project_id, "create_branch", planned, arguments, effects)


def _schedule_one_step(plane: Plane, restore: _Restore, branch: Branch, effects: Mapping[str, Any]) -> list[Operation]:
    moving = _moving(plane, branch, restore.target, None)
    arguments = {**_making(restore, branch), **moving, "made_here": True}
    arguments["node_ids"] = [branch.node_id, restore.snapshot.node_id, restore.target.node_id]
    planned = [Planned("create_branch", branch.id), *_plan_of_move(plane, branch, restore.target)]
    return _scheduled_move(plane, branch, planned, arguments, effects)


def _schedule_finalize(
    plane: Plane, branch: Branch, target: Branch, old_name: str | None, effects: Mapping[str, Any]
) -> list[Operation]:
    spare = plane.endpoint_of(branch.id)
    moved = plane.endpoint_of(target.id)
    planned = _plan_of_move(plane, branch, target)
    if moved is None:
        spare = None  # the target has no compute to give: the branch keeps its own
        planned = [Planned("apply_config", branch.id)]
    elif spare is not None:
        planned = [Planned("suspend_compute", branch.id, spare.id), *planned]
    arguments = {**_moving(plane, branch, target, old_name), "spare_endpoint_id": spare.id if spare else None}
    return _scheduled_move(plane, branch, planned, arguments, effects)


def _scheduled_move(
    plane: Plane, branch: Branch, planned: list[Planned], arguments: Mapping[str, Any], effects: Mapping[str, Any]
) -> list[Operation]:
    needed = access(plane, branch, plane.store.must(Branch, arguments["target_id"]))
    planned = [*needed.planned, *planned]
    arguments = {**arguments, "unarchived_ids": needed.branch_ids}
    operations = plane.schedule(branch.project_id, "replace_branch", planned, arguments, effects)
    endpoint = plane.store.get(Endpoint, arguments["endpoint_id"] or "")
    if endpoint is not None:
        plane.change_endpoint(endpoint, pending_state="active" if arguments["was_active"] else "idle")
    return operations


def _plan_of_move(plane: Plane, branch: Branch, target: Branch) -> list[Planned]:
    endpoint = plane.endpoint_of(target.id)
    if endpoint is None:
        return []
    return [Planned("start_compute" if _is_active(endpoint) else "apply_config", branch.id, endpoint.id)]


def _making(restore: _Restore, branch: Branch) -> dict[str, Any]:
    return {
        "branch_id": branch.id,
        "node_id": branch.node_id,
        "source_node_id": restore.snapshot.node_id,
        "node_ids": [branch.node_id, restore.snapshot.node_id],
        "point": point_arguments(Point()),
    }


def _moving(plane: Plane, branch: Branch, target: Branch, old_name: str | None) -> dict[str, Any]:
    endpoint = plane.endpoint_of(target.id)
    taken = {other.name for other in plane.branches(branch.project_id)}
    return {
        "branch_id": branch.id,
        "node_id": branch.node_id,
        "target_id": target.id,
        "old_node_id": target.node_id,
        "old_name": old_name or free_name(taken, f"{target.name[:250]} (old)"),
        "endpoint_id": endpoint.id if endpoint else None,
        "was_active": endpoint is not None and _is_active(endpoint),
        "node_ids": [branch.node_id, target.node_id],
    }


def _is_active(endpoint: Endpoint) -> bool:
    return endpoint.current_state == "active"
