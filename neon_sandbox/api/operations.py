from __future__ import annotations

from neon_sandbox import problems
from neon_sandbox.api import paging, shapes
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request
from neon_sandbox.entities import Operation
from neon_sandbox.plane import Plane


def list_operations(plane: Plane, request: Request, project_id: str) -> Reply:
    find_project(plane, project_id)
    found = plane.store.find_by(Operation, "project_id", project_id)
    page, pagination = paging.operation_page(request, found)
    return Reply(200, {"operations": shapes.operations(page), **pagination})


def get_operation(plane: Plane, request: Request, project_id: str, operation_id: str) -> Reply:
    operation = plane.store.get(Operation, operation_id)
    if operation is None or operation.project_id != project_id:
        raise problems.not_found("operation")
    return Reply(200, {"operation": shapes.operation(operation)})
