from __future__ import annotations

from dataclasses import replace
from typing import Any

from neon_sandbox import problems
from neon_sandbox.api import paging, shapes
from neon_sandbox.api.request import Reply, Request, text_of
from neon_sandbox.entities import Operation, Project
from neon_sandbox.plane import HISTORY_CAPS_SECONDS, Plane
from neon_sandbox.problems import ApiProblem

AUTH_METHODS = {"personal": "api_key_user", "organisation": "api_key_org", "project": "api_key_org"}
ORGANISATION_ID = "org-local-sandbox-12345678"


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
    page = paging.page_after_id(request, found, lambda project: project.id, maximum=400)
    body: dict[str, Any] = {
        "projects": [shapes.project_item(project, plane.settings.plan) for project in page],
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
    return Reply(200, {"project": shapes.project(find_project(plane, project_id), plane.settings.plan)})


def update_project(plane: Plane, request: Request, project_id: str) -> Reply:
    project = find_project(plane, project_id)
    wanted = request.part("project", required=True)
    seconds = wanted.get("history_retention_seconds", project.history_retention_seconds)
    cap = HISTORY_CAPS_SECONDS[plane.settings.plan]
    if not isinstance(seconds, int) or not 0 <= seconds <= cap:
        raise ApiProblem(400, f"history_retention_seconds must be from 0 to {cap} on this plan")
    plane.refuse_if_locked(project_id)
    name = text_of(wanted, "name") or project.name
    project = replace(project, name=name, history_retention_seconds=seconds, updated_at=plane.moment())
    plane.store.put(project)
    return Reply(200, {"project": shapes.project(project, plane.settings.plan), "operations": []})


def list_operations(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    found = plane.store.find(Operation, lambda operation: operation.project_id == project_id)
    page, pagination = paging.operation_page(request, found)
    return Reply(200, {"operations": shapes.operations(page), "pagination": pagination})


def get_operation(plane: Plane, request: Request, project_id: str, operation_id: str) -> Reply:
    operation = plane.store.get(Operation, operation_id)
    if operation is None or operation.project_id != project_id:
        raise problems.not_found("operation")
    return Reply(200, {"operation": shapes.operation(operation)})


def auth(plane: Plane, request: Request) -> Reply:
    return Reply(200, {"account_id": ORGANISATION_ID, "auth_method": AUTH_METHODS[request.key_kind]})


def me(plane: Plane, request: Request) -> Reply:
    return Reply(
        200,
        {
            "id": "7d5a2a4e-0000-4000-8000-000000000001",
            "login": "local",
            "email": "owner@example.com",
            "name": "Local",
            "last_name": "Owner",
            "image": "",
            "plan": plane.settings.plan,
            "auth_accounts": [],
            "projects_limit": 100,
            "branches_limit": plane.branch_cap(),
            "max_autoscaling_limit": 8,
        },
    )


def my_organizations(plane: Plane, request: Request) -> Reply:
    return Reply(
        200,
        {
            "organizations": [
                {
                    "id": ORGANISATION_ID,
                    "name": "Local",
                    "handle": "local",
                    "plan": plane.settings.plan,
                    "managed_by": "console",
                    "created_at": "2026-01-01T00:00:00Z",
                    "updated_at": "2026-01-01T00:00:00Z",
                }
            ]
        },
    )
