from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neon_sandbox import ids, problems
from neon_sandbox.api import shapes
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.entities import Branch, Endpoint
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.problems import ApiProblem


def find_endpoint(plane: Plane, project_id: str, endpoint_id: str) -> Endpoint:
    found = plane.store.get(Endpoint, endpoint_id)
    if found is None or found.project_id != project_id:
        raise problems.not_found("endpoint")
    return found


def list_endpoints(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    found = plane.store.find(Endpoint, lambda endpoint: endpoint.project_id == project_id)
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
        operations = _schedule(plane, "start_endpoint", "start_compute", endpoint, request.effects)
    return Reply(201, {"endpoint": shapes.endpoint(endpoint), "operations": operations})


def start_endpoint(plane: Plane, request: Request, project_id: str, endpoint_id: str) -> Reply:
    return _switch(plane, request, project_id, endpoint_id, active=True)


def suspend_endpoint(plane: Plane, request: Request, project_id: str, endpoint_id: str) -> Reply:
    return _switch(plane, request, project_id, endpoint_id, active=False)


def new_endpoint(plane: Plane, branch: Branch, wanted: Mapping[str, Any]) -> Endpoint:
    moment = plane.moment()
    endpoint = Endpoint(
        id=ids.endpoint_id(),
        project_id=branch.project_id,
        branch_id=branch.id,
        node_id=branch.node_id,
        port=plane.storage.new_port(),
        created_at=moment,
        updated_at=moment,
        current_state="init",
        pending_state="active",
        min_cu=_cu(wanted, "autoscaling_limit_min_cu"),
        max_cu=_cu(wanted, "autoscaling_limit_max_cu"),
        suspend_timeout_seconds=int(wanted.get("suspend_timeout_seconds") or 0),
    )
    plane.store.put(endpoint)
    return endpoint


def _cu(wanted: Mapping[str, Any], name: str) -> float:
    value = wanted.get(name, 0.25)
    if not isinstance(value, (int, float)) or value < 0.25:
        raise ApiProblem(400, f"invalid request: {name} must be at least 0.25")
    return float(value)


def _check_wanted(plane: Plane, branch: Branch, wanted: Mapping[str, Any]) -> None:
    if wanted.get("type") != "read_write":
        raise ApiProblem(422, "only read_write endpoints are available in the local sandbox")
    settings = wanted.get("settings")
    if settings is not None and "pg_settings" not in settings:
        raise ApiProblem(400, "settings must not be nil")
    if plane.endpoint_of(branch.id) is not None:
        raise ApiProblem(409, "read-write endpoint already exists")
    if branch.current_state != "ready":
        raise ApiProblem(422, "branch not ready yet")


def _switch(plane: Plane, request: Request, project_id: str, endpoint_id: str, *, active: bool) -> Reply:
    wanted = "active" if active else "idle"
    with plane.store.transaction():
        endpoint = find_endpoint(plane, project_id, endpoint_id)
        plane.refuse_if_locked(project_id)
        if endpoint.current_state == wanted:
            return Reply(200, {"endpoint": shapes.endpoint(endpoint), "operations": []})
        kind, action = ("start_endpoint", "start_compute") if active else ("suspend_endpoint", "suspend_compute")
        operations = _schedule(plane, kind, action, endpoint, request.effects)
        endpoint = replace(endpoint, pending_state=wanted)
        plane.store.put(endpoint)
    return Reply(200, {"endpoint": shapes.endpoint(endpoint), "operations": operations})


def _schedule(
    plane: Plane, kind: str, action: str, endpoint: Endpoint, effects: Mapping[str, Any]
) -> list[dict[str, Any]]:
    operations = plane.schedule(
        endpoint.project_id,
        kind,
        [Planned(action, endpoint.branch_id, endpoint.id)],
        {
            "endpoint_id": endpoint.id,
            "branch_id": endpoint.branch_id,
            "node_ids": [endpoint.node_id],
            "state_before": endpoint.current_state if endpoint.current_state != "init" else "idle",
        },
        effects,
    )
    return shapes.operations(operations)
