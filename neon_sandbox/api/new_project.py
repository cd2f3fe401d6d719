"""POST /projects and DELETE /projects/{id}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neon_sandbox.api import shapes
from neon_sandbox.api.accounts import region_of
from neon_sandbox.api.catalog import checked_name
from neon_sandbox.api.endpoint_changes import changes_of
from neon_sandbox.api.endpoints import new_endpoint
from neon_sandbox.api.projects import (
    ORGANISATION_ID,
    checked_project_settings,
    find_project,
    retention_seconds,
    shown,
)
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.entities import BackupSchedule, Endpoint, Meter, Project, Snapshot, Usage
from neon_sandbox.new_project import DEFAULT_REGION, NewProject, Wanted, entities_of
from neon_sandbox.plane import Plane, Planned
from neon_sandbox.problems import ApiProblem

DEFAULT_DATABASE = "neondb"
PG_VERSIONS = range(14, 19)
PROJECTS_LIMIT = 100


def create_project(plane: Plane, request: Request) -> Reply:
    wanted = request.part("project", required=True)
    _check_organisation(request, wanted)
    with plane.store.transaction():
        if len(plane.store.find(Project)) >= PROJECTS_LIMIT:
            raise ApiProblem(422, "projects limit exceeded", "PROJECTS_LIMIT_EXCEEDED")
        made = entities_of(plane, _wanted(plane, wanted))
        for entity in (made.project, made.branch, made.role, *made.databases):
            plane.store.put(entity)
        endpoint = new_endpoint(plane, made.branch, {})
        operations = plane.schedule(
            made.project.id,
            "create_project",
            [Planned("create_timeline", made.branch.id), Planned("start_compute", made.branch.id, endpoint.id)],
            {
                "branch_id": made.branch.id,
                "node_id": made.branch.node_id,
                "node_ids": [made.branch.node_id],
                "endpoint_id": endpoint.id,
            },
            request.effects,
        )
    return Reply(201, {**_created(plane, made, endpoint), "operations": shapes.operations(operations)})


def delete_project(plane: Plane, request: Request, project_id: str) -> Reply:
    """Everything of the project is gone for the API at once; its computes are stopped behind it."""
    with plane.store.transaction():
        project = find_project(plane, project_id)
        branches = plane.branches(project_id)
        if any(branch.protected for branch in branches):
            raise ApiProblem(422, "a project with protected branches can not be deleted")
        node_ids = [branch.node_id for branch in branches]
        arguments = {"released_node_ids": node_ids, "node_ids": node_ids}
        plane.schedule(project_id, "delete_project", [Planned("delete_timeline")], arguments, request.effects)
        body = {"project": shown(plane, project)}
        for branch in branches:
            plane.remove_branch(branch)
        for snapshot in plane.store.find_by(Snapshot, "project_id", project_id):
            plane.store.remove(snapshot)
        kinds: tuple[type[Meter] | type[Usage], ...] = (Meter, Usage)
        for kind in kinds:
            for metered in plane.store.find_by(kind, "project_id", project_id):
                plane.store.remove(metered)
        for schedule in plane.store.find(BackupSchedule, lambda schedule: schedule.project_id == project_id):
            plane.store.remove(schedule)
        plane.store.remove(project)
    return Reply(200, body)


def _check_organisation(request: Request, wanted: Mapping[str, Any]) -> None:
    org_id = text_of(wanted, "org_id")
    if org_id is None and request.key_kind == "personal":
        raise ApiProblem(400, "org_id is required, you can find it on your organization settings page")
    if org_id not in (None, ORGANISATION_ID):
        raise ApiProblem(404, "organization not found")


def _wanted(plane: Plane, wanted: Mapping[str, Any]) -> Wanted:
    branch = wanted.get("branch") or {}
    if not isinstance(branch, dict):
        raise ApiProblem(400, "invalid request: branch must be an object")
    # The project gets the version that is installed, and says so, whichever was asked for.
    if wanted.get("pg_version", plane.storage.pg_version) not in PG_VERSIONS:
        raise ApiProblem(400, "invalid request: pg_version must be from 14 to 18")
    endpoint_settings = {
        name: wanted[name] for name in ("autoscaling_limit_min_cu", "autoscaling_limit_max_cu") if name in wanted
    } | (wanted.get("default_endpoint_settings") or {})
    changes_of(endpoint_settings)
    database_name = checked_name(text_of(branch, "database_name") or DEFAULT_DATABASE)
    return Wanted(
        name=text_of(wanted, "name"),
        role_name=checked_name(text_of(branch, "role_name") or f"{database_name}_owner"),
        database_names=[database_name],
        history_seconds=retention_seconds(plane, wanted),
        branch_name=text_of(branch, "name") or "main",
        region_id=region_of(text_of(wanted, "region_id") or DEFAULT_REGION),
        settings=checked_project_settings(plane, {}, wanted.get("settings")),
        default_endpoint_settings=endpoint_settings,
        annotation=branch.get("annotations") or {},
    )


def _created(plane: Plane, made: NewProject, endpoint: Endpoint) -> dict[str, Any]:
    uri = plane.connection_uri(endpoint, made.role, made.databases[0].name)
    return {
        "project": shown(plane, made.project),
        "branch": shapes.branch(made.branch),
        "endpoints": [shapes.endpoint(endpoint)],
        "roles": [shapes.role(made.role, password=True)],
        "databases": [shapes.database(database) for database in made.databases],
        "connection_uris": [shapes.connection_details(uri)],
    }
