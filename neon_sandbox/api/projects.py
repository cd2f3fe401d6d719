from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neon_sandbox import problems
from neon_sandbox.api import paging, shapes
from neon_sandbox.api.endpoint_changes import changes_of
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.entities import Project
from neon_sandbox.metering import usage
from neon_sandbox.plane import HISTORY_CAPS_SECONDS, HISTORY_DEFAULT_SECONDS, Plane, Planned
from neon_sandbox.problems import ApiProblem

ORGANISATION_ID = "org-local-sandbox-12345678"
PROJECT_SETTINGS = {
    "quota",
    "allowed_ips",
    "enable_logical_replication",
    "maintenance_window",
    "block_public_connections",
    "block_vpc_connections",
    "audit_log_level",
    "hipaa",
    "preload_libraries",
}
QUOTAS = {
    "active_time_seconds",
    "compute_time_seconds",
    "written_data_bytes",
    "data_transfer_bytes",
    "logical_size_bytes",
}


def find_project(plane: Plane, project_id: str) -> Project:
    found = plane.store.get(Project, project_id)
    if found is None:
        raise problems.not_found("project")
    return found


def list_projects(plane: Plane, request: Request) -> Reply:
    if request.key_kind == "personal" and "org_id" not in request.query:
        raise ApiProblem(400, "org_id is required, you can find it on your organization settings page")
    org_id = request.query.get("org_id", ORGANISATION_ID)
    search = request.query.get("search", "")
    found = plane.store.find(Project, lambda p: p.org_id == org_id and (search in p.name or search in p.id))
    if request.query.get("recoverable") == "true":
        found = []  # a deleted project is gone here
    if request.key_project_id is not None:
        found = [project for project in found if project.id == request.key_project_id]
    page = paging.page_after_id(request, found, lambda project: project.id, maximum=400)
    body: dict[str, Any] = {
        "projects": [shapes.project_item(project, plane.settings.plan, usage(plane, project)) for project in page],
        "unavailable_project_ids": [],
        "applications": {},
        "integrations": {},
    }
    if page:
        body["pagination"] = {"cursor": page[-1].id}
    return Reply(200, body)


def list_shared_projects(plane: Plane, request: Request) -> Reply:
    return Reply(200, {"projects": [], "unavailable_project_ids": []})


def get_project(plane: Plane, request: Request, project_id: str) -> Reply:
    return Reply(200, {"project": shown(plane, find_project(plane, project_id))})


def update_project(plane: Plane, request: Request, project_id: str) -> Reply:
    """Another history window or other settings start an operation; another name does not."""
    wanted = request.part("project", required=True)
    with plane.store.transaction():
        project = find_project(plane, project_id)
        changed = replace(
            project,
            name=text_of(wanted, "name") or project.name,
            history_retention_seconds=retention_seconds(plane, wanted, before=project.history_retention_seconds),
            settings=checked_project_settings(plane, project.settings, wanted.get("settings")),
            default_endpoint_settings=_endpoint_settings(project, wanted.get("default_endpoint_settings")),
            updated_at=plane.moment(),
        )
        plane.refuse_if_locked(project_id)
        operations = (
            plane.schedule(project_id, "update_project", planned, {}, request.effects)
            if (planned := _planned(project, changed))
            else []
        )
        plane.store.put(changed)
    return Reply(200, {"project": shown(plane, changed), "operations": shapes.operations(operations)})


def shown(plane: Plane, project: Project) -> dict[str, Any]:
    return shapes.project(project, plane.settings.plan) | shapes.usage_of_project(usage(plane, project))


def retention_seconds(plane: Plane, wanted: Mapping[str, Any], *, before: int | None = None) -> int:
    """The history window that a call asks for, else the one before, else the plan's default."""
    plan = plane.settings.plan
    seconds: object = wanted.get("history_retention_seconds")
    if seconds is None:
        return HISTORY_DEFAULT_SECONDS[plan] if before is None else before
    cap = HISTORY_CAPS_SECONDS[plan]
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= cap:
        raise ApiProblem(400, f"history_retention_seconds must be from 0 to {cap} on this plan")
    return seconds


def checked_project_settings(plane: Plane, before: Mapping[str, Any], wanted: object) -> dict[str, Any]:
    """The settings that are named replace those before; they are kept and shown, and do nothing here."""
    if wanted is None:
        return dict(before)
    if not isinstance(wanted, dict) or (unknown := set(wanted) - PROJECT_SETTINGS):
        problem = f"unknown settings: {', '.join(sorted(unknown))}" if isinstance(wanted, dict) else "must be an object"
        raise ApiProblem(400, f"invalid request: settings: {problem}")
    if wanted.get("hipaa") is False and before.get("hipaa"):
        raise ApiProblem(422, "HIPAA can not be turned off once it is on")
    if wanted.get("hipaa") and plane.settings.plan != "scale":
        raise ApiProblem(403, "HIPAA is available on the Scale plan only")
    _refuse_negative_quota(wanted.get("quota") or {})
    return {**before, **wanted}


def _refuse_negative_quota(quota: object) -> None:
    if not isinstance(quota, dict) or any(
        name not in QUOTAS or isinstance(value, bool) or not isinstance(value, int) or value < 0
        for name, value in quota.items()
    ):
        raise ApiProblem(400, f"invalid request: quota holds whole numbers: {', '.join(sorted(QUOTAS))}")


def _endpoint_settings(project: Project, wanted: object) -> dict[str, Any]:
    if wanted is None:
        return project.default_endpoint_settings
    if not isinstance(wanted, dict):
        raise ApiProblem(400, "invalid request: default_endpoint_settings must be an object")
    changes_of(wanted)
    return {**project.default_endpoint_settings, **wanted}


def _planned(before: Project, after: Project) -> list[Planned]:
    if before.history_retention_seconds != after.history_retention_seconds:
        return [Planned("apply_storage_config")]
    return [Planned("apply_config")] if before.settings != after.settings else []
