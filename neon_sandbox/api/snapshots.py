"""Snapshots: taken from the query alone, listed, changed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from neon_sandbox import catalog_history, ids, problems
from neon_sandbox.api import shapes
from neon_sandbox.api.branches import find_branch
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.api.rules import check_point, new_node_id, read_point
from neon_sandbox.api.snapshot_rules import (
    free_name,
    refuse_bad_slug,
    refuse_child,
    refuse_taken_snapshot_name,
    refuse_too_many_snapshots,
    wanted_snapshot_expiry,
)
from neon_sandbox.archiving import access
from neon_sandbox.entities import Branch, Operation, Snapshot
from neon_sandbox.jobs import point_arguments
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.storage.base import Point


def find_snapshot(plane: Plane, project_id: str, snapshot_id: str) -> Snapshot:
    found = plane.store.get(Snapshot, snapshot_id)
    if found is None or found.project_id != project_id:
        raise problems.not_found("snapshot")
    return found


def create_snapshot(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    """A body is not looked at, as Neon does not look at it."""
    project = find_project(plane, project_id)
    query = request.query
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        refuse_child(branch)
        point = read_point(query, "timestamp", "lsn")
        expires_at = wanted_snapshot_expiry(plane, query.get("expires_at"))
        name, slug = text_of(query, "name"), text_of(query, "slug")
        if name is not None:
            refuse_taken_snapshot_name(plane, project_id, name)
        if slug is not None:
            refuse_bad_slug(plane, project_id, slug)
        plane.refuse_if_locked(project_id)
        refuse_too_many_snapshots(plane, project_id)
        check_point(plane, project, branch, point)
        snapshot, operations = begin_snapshot(
            plane, branch, point, name=name, slug=slug, expires_at=expires_at, effects=request.effects
        )
    return Reply(200, {"snapshot": shapes.snapshot(snapshot), "operations": shapes.operations(operations)})


def list_snapshots(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    newest_first = reversed(plane.snapshots(project_id))
    return Reply(200, {"snapshots": [shapes.snapshot(snapshot) for snapshot in newest_first]})


def update_snapshot(plane: Plane, request: Request, project_id: str, snapshot_id: str) -> Reply:
    wanted = request.part("snapshot", required=True)
    with plane.store.transaction():
        snapshot = find_snapshot(plane, project_id, snapshot_id)
        changes: dict[str, Any] = {}
        if name := text_of(wanted, "name"):
            refuse_taken_snapshot_name(plane, project_id, name, but=snapshot)
            changes["name"] = name
        if "expires_at" in wanted:
            changes["expires_at"] = wanted_snapshot_expiry(plane, wanted["expires_at"])
        plane.refuse_if_locked(project_id)
        snapshot = replace(snapshot, **changes)
        plane.store.put(snapshot)
    return Reply(200, {"snapshot": shapes.snapshot(snapshot)})


def delete_snapshot(plane: Plane, request: Request, project_id: str, snapshot_id: str) -> Reply:
    """Also while branches made of it exist: their data are their own."""
    with plane.store.transaction():
        snapshot = find_snapshot(plane, project_id, snapshot_id)
        planned = [Planned("delete_timeline", snapshot.source_branch_id)]
        arguments = {"node_ids": [snapshot.node_id]}
        operations = plane.schedule(project_id, "delete_snapshot", planned, arguments, request.effects)
        plane.store.remove(snapshot)
    return Reply(202, {"operations": shapes.operations(operations)})


def begin_snapshot(
    plane: Plane,
    branch: Branch,
    point: Point,
    *,
    name: str | None,
    slug: str | None = None,
    expires_at: datetime | None = None,
    manual: bool = True,
    effects: Mapping[str, Any] | None = None,
) -> tuple[Snapshot, list[Operation]]:
    """On record, with the roles and databases of its moment; its data are made by a job.

    The head is the moment of this call, whenever the job comes to it. Part of the caller's transaction; raises 423.
    """
    moment = plane.moment()
    if point.is_head:
        point = Point(timestamp=moment)
    snapshot = Snapshot(
        id=ids.snapshot_id(),
        project_id=branch.project_id,
        source_branch_id=branch.id,
        node_id=new_node_id(),
        name=name or _generated_name(plane, branch, point.timestamp or moment, manual=manual),
        slug=slug or ids.slug(),
        created_at=moment,
        manual=manual,
        timestamp=point.timestamp,
        lsn=point.lsn,
        expires_at=expires_at,
        catalog=catalog_history.kept(catalog_history.catalog_at(plane.store, branch.id, point.timestamp)),
    )
    needed = access(plane, branch)
    arguments = {
        "snapshot_id": snapshot.id,
        "unarchived_ids": needed.branch_ids,
        "source_node_id": branch.node_id,
        "node_ids": [snapshot.node_id, branch.node_id],
        "point": point_arguments(point),
    }
    planned = [*needed.planned, Planned("create_timeline", branch.id)]
    operations = plane.schedule(branch.project_id, "create_snapshot", planned, arguments, effects)
    plane.store.put(snapshot)
    return snapshot, operations


def _generated_name(plane: Plane, branch: Branch, moment: datetime, *, manual: bool) -> str:
    taken = {snapshot.name for snapshot in plane.snapshots(branch.project_id)}
    kind = "manual" if manual else "scheduled"
    return free_name(taken, f"{branch.name[:200]} at {moment:%Y-%m-%d %H:%M:%S} UTC ({kind})")
