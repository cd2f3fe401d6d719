from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neon_sandbox import problems
from neon_sandbox.api import paging, shapes
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request, flag_of, text_of
from neon_sandbox.api.rules import (
    refuse_another_protected,
    refuse_taken_name,
    seconds_until,
    wanted_expiry,
)
from neon_sandbox.entities import Branch, Meter
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.problems import ApiProblem


def find_branch(plane: Plane, project_id: str, branch_id: str) -> Branch:
    found = plane.store.get(Branch, branch_id)
    if found is None or found.project_id != project_id:
        raise problems.not_found("branch")
    return found


def list_branches(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    page, pagination = paging.branch_page(request, plane.branches(project_id))
    return Reply(
        200,
        {
            "branches": [_shown(plane, branch) for branch in page],
            "annotations": {branch.id: shapes.annotation(branch) for branch in page if branch.annotation},
            "pagination": pagination,
        },
    )


def count_branches(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    search = request.query.get("search", "")
    return Reply(200, {"count": sum(search in b.name or search in b.id for b in plane.branches(project_id))})


def get_branch(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    branch = find_branch(plane, project_id, branch_id)
    return Reply(200, {"branch": _shown(plane, branch), "annotation": shapes.annotation(branch)})


def update_branch(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    wanted = request.part("branch", required=True)
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        changes: dict[str, Any] = {}
        if name := text_of(wanted, "name"):
            refuse_taken_name(plane, project_id, name, but=branch)
            changes["name"] = name
        if (protected := flag_of(wanted, "protected")) is not None:
            changes["protected"] = protected
            _check_protection(plane, branch, wanted, protected=protected)
        if "expires_at" in wanted:
            changes |= _changed_expiry(plane, branch, wanted)
        plane.refuse_if_locked(project_id)
        branch = plane.change_branch(branch, **changes)
    return Reply(200, {"branch": shapes.branch(branch), "operations": []})


def delete_branch(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    find_project(plane, project_id)
    with plane.store.transaction():
        branch = plane.store.get(Branch, branch_id)
        if branch is None or branch.project_id != project_id:
            return Reply(204)
        _refuse_needed(plane, branch)
        operations = schedule_deletion(plane, branch, request.effects)
    return Reply(200, {"branch": shapes.branch(branch), "operations": operations})


def schedule_deletion(plane: Plane, branch: Branch, effects: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    endpoint = plane.endpoint_of(branch.id)
    planned = [Planned("delete_timeline", branch.id)]
    if endpoint is not None:
        planned.insert(0, Planned("suspend_compute", branch.id, endpoint.id))
    arguments = {"deleted_node_id": branch.node_id, "node_ids": [branch.node_id]}
    operations = plane.schedule(branch.project_id, "delete_branch", planned, arguments, effects)
    plane.remove_branch(branch)
    return shapes.operations(operations)


def set_default(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    with plane.store.transaction():
        branch = find_branch(plane, project_id, branch_id)
        if branch.expires_at is not None:
            raise ApiProblem(422, "a branch that expires can not be the default branch")
        plane.refuse_if_locked(project_id)
        for other in plane.branches(project_id):
            if other.default and other.id != branch.id:
                plane.change_branch(other, default=False)
        branch = plane.change_branch(branch, default=True)
    return Reply(200, {"branch": shapes.branch(branch), "operations": []})


def _shown(plane: Plane, branch: Branch) -> dict[str, Any]:
    return shapes.branch(branch) | shapes.usage_of_branch(plane.store.get(Meter, branch.id))


def _changed_expiry(plane: Plane, branch: Branch, wanted: Mapping[str, Any]) -> dict[str, Any]:
    expires_at = wanted_expiry(plane, wanted)
    if expires_at is None:
        return {"expires_at": None, "ttl_interval_seconds": None}
    if branch.default or branch.protected or plane.children(branch.id):
        raise ApiProblem(422, "default, protected and parent branches can not expire")
    return {"expires_at": expires_at, "ttl_interval_seconds": seconds_until(plane, expires_at)}


def _check_protection(plane: Plane, branch: Branch, wanted: Mapping[str, Any], *, protected: bool) -> None:
    if not protected or branch.protected:
        return
    refuse_another_protected(plane, branch.project_id)
    if wanted.get("expires_at", branch.expires_at) is not None:
        raise ApiProblem(422, "default, protected and parent branches can not expire")


def _refuse_needed(plane: Plane, branch: Branch) -> None:
    if branch.default:
        raise ApiProblem(422, "the default branch can not be deleted")
    if branch.original_root:
        raise ApiProblem(422, "the root branch of the project can not be deleted")
    if branch.protected:
        raise ApiProblem(422, "a protected branch can not be deleted")
    if branch.kept_for_history:
        raise ApiProblem(422, "a backup branch made by restoring a root branch from another branch can not be deleted")
    if plane.children(branch.id):
        raise ApiProblem(422, "the branch has children; delete them first")
