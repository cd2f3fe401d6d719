"""What a new project consists of: itself, a root branch that is the default, one role, its databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neon_sandbox import ids
from neon_sandbox.api.catalog import next_database_number
from neon_sandbox.api.projects import ORGANISATION_ID
from neon_sandbox.api.rules import new_node_id, new_password
from neon_sandbox.entities import Branch, Database, Project, Role
from neon_sandbox.plane import Plane

DEFAULT_REGION = "aws-us-east-2"


@dataclass(frozen=True)
class Wanted:
    """`name` None: the id of the project, as Neon does."""

    role_name: str
    database_names: Sequence[str]
    history_seconds: int
    name: str | None = None
    branch_name: str = "main"
    region_id: str = DEFAULT_REGION
    settings: Mapping[str, Any] = field(default_factory=dict)
    default_endpoint_settings: Mapping[str, Any] = field(default_factory=dict)
    annotation: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NewProject:
    """Not yet remembered anywhere."""

    project: Project
    branch: Branch
    role: Role
    databases: list[Database]


def entities_of(plane: Plane, wanted: Wanted) -> NewProject:
    moment = plane.moment()
    project_id = ids.project_id()
    project = Project(
        id=project_id,
        name=wanted.name or project_id,
        org_id=ORGANISATION_ID,
        pg_version=plane.storage.pg_version,
        history_retention_seconds=wanted.history_seconds,
        created_at=moment,
        updated_at=moment,
        region_id=wanted.region_id,
        settings=dict(wanted.settings),
        default_endpoint_settings=dict(wanted.default_endpoint_settings),
    )
    branch = Branch(
        id=ids.branch_id(),
        project_id=project.id,
        name=wanted.branch_name,
        node_id=new_node_id(),
        created_at=moment,
        updated_at=moment,
        state_changed_at=moment,
        history_from=moment,
        default=True,
        original_root=True,
        pending_state="ready",
        annotation=dict(wanted.annotation),
    )
    role = Role(f"{branch.id}/{wanted.role_name}", branch.id, wanted.role_name, new_password(), moment)
    first = next_database_number(plane)
    databases = [
        Database(f"{branch.id}/{name}", branch.id, first + index, name, role.name, moment)
        for index, name in enumerate(wanted.database_names)
    ]
    return NewProject(project, branch, role, databases)
