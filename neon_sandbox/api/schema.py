"""The structure of a database, at a moment, and what differs between two branches."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import datetime

from neon_sandbox import catalog_history, problems
from neon_sandbox.api.branches import find_branch
from neon_sandbox.api.projects import find_project
from neon_sandbox.api.request import Reply, Request
from neon_sandbox.api.rules import check_point, read_point
from neon_sandbox.api.schema_json import tables_of
from neon_sandbox.archiving import bring_back_for_reading
from neon_sandbox.entities import Branch, Database
from neon_sandbox.errors import ClusterFailed
from neon_sandbox.plane import Plane
from neon_sandbox.problems import ApiProblem
from neon_sandbox.storage.base import Point


def get_schema(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    form = request.query.get("format", "sql")
    if form not in ("sql", "json"):
        raise ApiProblem(400, "invalid request: format must be sql or json")
    branch = find_branch(plane, project_id, branch_id)
    text = _schema(plane, branch, _database_name(request), _point(request.query))
    return Reply(200, {"sql": text} if form == "sql" else {"json": {"tables": tables_of(text)}})


def compare_schema(plane: Plane, request: Request, project_id: str, branch_id: str) -> Reply:
    """What turns the base's schema into the branch's, as a unified diff; no diff when they are equal."""
    branch = find_branch(plane, project_id, branch_id)
    base = find_branch(plane, project_id, _base_id(request, branch))
    name = _database_name(request)
    before = _schema(plane, base, name, _point(request.query, "base_"))
    after = _schema(plane, branch, name, _point(request.query))
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        fromfile=f"a/{name}-schema.sql",
        tofile=f"b/{name}-schema.sql",
    )
    return Reply(200, {"diff": "".join(lines)})


def _base_id(request: Request, branch: Branch) -> str:
    base_id = request.query.get("base_branch_id") or branch.parent_id
    if base_id is None:
        raise ApiProblem(400, "the branch has no parent; base_branch_id is required")
    return base_id


def _schema(plane: Plane, branch: Branch, database_name: str, point: Point) -> str:
    check_point(plane, find_project(plane, branch.project_id), branch, point)
    if point.lsn is None:
        _refuse_missing(plane, branch, database_name, point.timestamp)
    bring_back_for_reading(plane, branch)
    try:
        return plane.storage.schema(branch.node_id, database_name, point)
    except ClusterFailed as error:
        if "does not exist" in str(error):  # at an LSN nobody else knows which databases there were
            raise problems.not_found("database") from error
        raise


def _refuse_missing(plane: Plane, branch: Branch, database_name: str, moment: datetime | None) -> None:
    """The database may have been there at that moment and be gone by now, or the other way round."""
    there = catalog_history.catalog_at(plane.store, branch.id, moment)
    if not any(isinstance(entity, Database) and entity.name == database_name for entity in there):
        raise problems.not_found("database")


def _database_name(request: Request) -> str:
    name = request.query.get("db_name")
    if not name:
        raise ApiProblem(400, "invalid request: db_name is required")
    return name


def _point(query: Mapping[str, str], prefix: str = "") -> Point:
    return read_point(query, f"{prefix}timestamp", f"{prefix}lsn")
