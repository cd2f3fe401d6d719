from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from neon_sandbox import ids, problems
from neon_sandbox.api import shapes
from neon_sandbox.api.endpoint_changes import changes_of
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.archiving import Access, access
from neon_sandbox.entities import Branch, Endpoint, Project
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.problems import ApiProblem


def find_endpoint(plane: Plane, project_id: str, endpoint_id: str) -> Endpoint:
    found = plane.store.get(Endpoint, endpoint_id)
    if found is None or found.project_id != project_id:
        raise problems.not_found("endpoint")
    return found


def list_endpoints(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    found = plane.store.find_by(Endpoint, "project_id", project_id)
    return Reply(200, {"endpoints": [shapes.endpoint(endpoint) for endpoint in found]})


def list_branch_endpoints(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    branch = plane.store.get(Branch, branch_id)
    if branch is None or branch.project_id != project_id:
        raise problems.not_found("branch")
    endpoint = plane.endpoint_of(branch_id)
    return Reply(200, {"endpoints": [shapes.endpoint(endpoint)] if endpoint else []})


def get_endpoint(plane: Plane, request: Request, project_id: str, endpoint_id: str) -> Reply:
    return Reply(200, {"endpoint": shapes.endpoint(find_endpoint(plane, project_id, endpoint_id))})


def create_endpoint(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    wanted = request.part("endpoint", required=True)
    with plane.store.transaction():
        branch = plane.store.get(Branch, text_of(wanted, "branch_id") or "")
        if branch is None or branch.project_id != project_id:
            raise problems.not_found("branch")
        plane.refuse_if_locked(project_id)
        _check_wanted(plane, branch, wanted)
        endpoint = new_endpoint(plane, branch, wanted)
        operations = _schedule(plane, "start_endpoint", ["start_compute"], endpoint, request.effects)
    return Reply(201, {"endpoint": shapes.endpoint(endpoint), "operations": operations})


def start_endpoint(plane: Plane, request: Request, project_id: str, endpoint_id: str) -> Reply:
    return _switch(plane, request, project_id, endpoint_id, active=True)


def suspend_endpoint(plane: Plane, request: Request, project_id: str, endpoint_id: str) -> Reply:
    return _switch(plane, request, project_id, endpoint_id, active=False)


def new_endpoint(plane: Plane, branch: Branch, wanted: Mapping[str, Any]) -> Endpoint:
    """What `wanted` leaves open is as the project's default_endpoint_settings say."""
    project = plane.store.must(Project, branch.project_id)
    wanted = {**project.default_endpoint_settings, **wanted}
    moment = plane.moment()
    endpoint = Endpoint(
        id=ids.endpoint_id(),
        project_id=branch.project_id,
        branch_id=branch.id,
        node_id=branch.node_id,
        port=plane.storage.new_port(),
        public_port=plane.proxy_port,
        created_at=moment,
        updated_at=moment,
        current_state="init",
        pending_state="active",
        region_id=project.region_id,
        **changes_of(wanted),
    )
    plane.store.put(endpoint)
    return endpoint


def _check_wanted(plane: Plane, branch: Branch, wanted: Mapping[str, Any]) -> None:
    if wanted.get("type") != "read_write":
        raise ApiProblem(422, "only read_write endpoints are available in the local sandbox")
    if plane.endpoint_of(branch.id) is not None:
        raise ApiProblem(409, "read-write endpoint already exists")
    if branch.current_state not in ("ready", "archived"):
        raise ApiProblem(422, "branch not ready yet")


def restart_endpoint(plane: Plane, request: Request, project_id: str, endpoint_id: str) -> Reply:
    with plane.store.transaction():
        endpoint = find_endpoint(plane, project_id, endpoint_id)
        plane.refuse_if_locked(project_id)
        _refuse_disabled(endpoint)
        actions = ["suspend_compute", "start_compute"] if endpoint.current_state == "active" else ["start_compute"]
        operations = _schedule(plane, "restart_endpoint", actions, endpoint, request.effects)
        endpoint = replace(endpoint, pending_state="active")
        plane.store.put(endpoint)
    return Reply(200, {"endpoint": shapes.endpoint(endpoint), "operations": operations})


def update_endpoint(plane: Plane, request: Request, project_id: str, endpoint_id: str) -> Reply:
    """What changes the compute costs an operation, a name does not. An idle compute stays idle."""
    wanted = request.part("endpoint", required=True)
    with plane.store.transaction():
        endpoint = find_endpoint(plane, project_id, endpoint_id)
        plane.refuse_if_locked(project_id)
        if wanted.get("branch_id") not in (None, endpoint.branch_id):
            raise ApiProblem(422, "an endpoint can not be moved to another branch in the local sandbox")
        changed = plane.change_endpoint(endpoint, **changes_of(wanted))
        operations: list[dict[str, Any]] = []
        if changed.disabled and endpoint.current_state == "active":
            operations = _schedule(plane, "suspend_endpoint", ["suspend_compute"], changed, request.effects)
            changed = plane.change_endpoint(changed, pending_state="idle")
        elif set(wanted) - {"name"}:
            operations = _schedule(plane, "update_endpoint", ["apply_config"], changed, request.effects)
    return Reply(200, {"endpoint": shapes.endpoint(changed), "operations": operations})


def delete_endpoint(plane: Plane, request: Request, project_id: str, endpoint_id: str) -> Reply:
    find_project(plane, project_id)
    with plane.store.transaction():
        endpoint = plane.store.get(Endpoint, endpoint_id)
        if endpoint is None or endpoint.project_id != project_id:
            return Reply(204)
        if plane.store.must(Branch, endpoint.branch_id).protected:
            raise ApiProblem(422, "the compute of a protected branch can not be deleted")
        operations = _schedule(plane, "delete_endpoint", ["suspend_compute"], endpoint, request.effects)
        plane.store.remove(endpoint)
    return Reply(200, {"endpoint": shapes.endpoint(endpoint), "operations": operations})


def _refuse_disabled(endpoint: Endpoint) -> None:
    if endpoint.disabled:
        raise ApiProblem(422, "the endpoint is disabled; enable it first")


def _switch(plane: Plane, request: Request, project_id: str, endpoint_id: str, *, active: bool) -> Reply:
    wanted = "active" if active else "idle"
    with plane.store.transaction():
        endpoint = find_endpoint(plane, project_id, endpoint_id)
        if not active and (endpoint.pending_state is not None or endpoint.current_state == "init"):
            raise ApiProblem(423, "endpoint is in some transitive state, could not suspend")
        plane.refuse_if_locked(project_id)
        if active:
            _refuse_disabled(endpoint)
        if endpoint.current_state == wanted:
            return Reply(200, {"endpoint": shapes.endpoint(endpoint), "operations": []})
        kind, action = ("start_endpoint", "start_compute") if active else ("suspend_endpoint", "suspend_compute")
        operations = _schedule(plane, kind, [action], endpoint, request.effects)
        endpoint = replace(endpoint, pending_state=wanted)
        plane.store.put(endpoint)
    return Reply(200, {"endpoint": shapes.endpoint(endpoint), "operations": operations})


def _schedule(
    plane: Plane, kind: str, actions: Sequence[str], endpoint: Endpoint, effects: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A compute that starts is a use of its branch, and brings it back when it was archived."""
    starts = "start_compute" in actions
    needed = access(plane, plane.store.must(Branch, endpoint.branch_id)) if starts else Access([], [])
    operations = plane.schedule(
        endpoint.project_id,
        kind,
        [*needed.planned, *(Planned(action, endpoint.branch_id, endpoint.id) for action in actions)],
        {
            "endpoint_id": endpoint.id,
            "branch_id": endpoint.branch_id,
            "unarchived_ids": needed.branch_ids,
            "released_node_id": endpoint.node_id,
            "node_ids": [endpoint.node_id],
            "state_before": endpoint.current_state if endpoint.current_state != "init" else "idle",
        },
        effects,
    )
    return shapes.operations(operations)
