"""Projects: read, make, change, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.paging import PAGE_SIZE, pages
from backups.neon.results import NewProject, ProjectChange
from backups.neon.sending import checked_name, without_none
from backups.neon.types import Project, ProjectList
from backups.neon.wire import Raw

MOST_HISTORY_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """Who may connect. What is None stays as it is; an empty `allowed_ips` lets every address in.

    Logical replication and HIPAA are left out on purpose: neither can be switched off again.
    """

    allowed_ips: tuple[str, ...] | None = None
    allowed_ips_on_protected_branches_only: bool | None = None
    block_public_connections: bool | None = None
    block_vpc_connections: bool | None = None

    def body(self) -> dict[str, Any]:
        allowed = without_none(
            ips=None if self.allowed_ips is None else [*self.allowed_ips],
            protected_branches_only=self.allowed_ips_on_protected_branches_only,
        )
        return without_none(
            allowed_ips=allowed or None,
            block_public_connections=self.block_public_connections,
            block_vpc_connections=self.block_vpc_connections,
        )


class Projects:
    def __init__(self, caller: Caller, *, page_size: int = PAGE_SIZE) -> None:
        self._caller = caller
        self._page_size = page_size

    def list(self, *, org_id: str | None = None) -> ProjectList:
        """Every project that the key may see. A personal key has to name the organisation (NeonRefused
        otherwise); a project-scoped key may be refused altogether."""
        return self._all("projects.list", {} if org_id is None else {"org_id": wire.checked_id(org_id)})

    def list_shared(self) -> ProjectList:
        """The projects of others that were shared with the person whose key this is."""
        return self._all("projects.list_shared", {})

    def _all(self, name: str, params: Mapping[str, str]) -> ProjectList:
        found: dict[str, Project] = {}
        unavailable: dict[str, None] = {}

        def build(page: Raw) -> tuple[Project, ...]:
            unavailable.update(dict.fromkeys(_unavailable_ids(page)))
            return tuple(Project.of(raw) for raw in wire.objects_in(page, "projects"))

        for page in pages(self._caller, name, build, cursor="cursor", params=params, page_size=self._page_size):
            found |= {project.id: project for project in page}
        return ProjectList(tuple(found.values()), tuple(unavailable))

    def get(self, project_id: str) -> Project:
        return self._caller.read(
            "projects.get", lambda raw: Project.of(wire.object_in(raw, "project")), project_id=project_id
        )

    def create(
        self,
        *,
        name: str,
        region_id: str | None = None,
        pg_version: int | None = None,
        history_retention_seconds: int | None = None,
        org_id: str | None = None,
        branch_name: str | None = None,
        database_name: str | None = None,
        role_name: str | None = None,
        request_id: str | None = None,
    ) -> NewProject:
        """A project with one branch, one compute, one database and its owner; what is None is Neon's choice.

        `name` should be unique and known beforehand: after OutcomeUnknown it is how to look it up.
        """
        branch = without_none(name=branch_name, database_name=database_name, role_name=role_name)
        project = without_none(
            name=checked_name(name, "project"),
            region_id=region_id,
            pg_version=pg_version,
            history_retention_seconds=_checked_history(history_retention_seconds),
            org_id=None if org_id is None else wire.checked_id(org_id),
            branch=branch or None,
        )
        return self._caller.change("projects.create", NewProject.of, {"project": project}, request_id=request_id)

    def update(
        self,
        project_id: str,
        *,
        name: str | None = None,
        history_retention_seconds: int | None = None,
        settings: ProjectSettings | None = None,
        request_id: str | None = None,
    ) -> ProjectChange:
        """Change what is given. A shorter history is cut off for good and for all branches; 0 keeps none, and then
        nothing can be restored to a point in time. What the plan allows at most is Neon's to judge."""
        project = without_none(
            name=None if name is None else checked_name(name, "project"),
            history_retention_seconds=_checked_history(history_retention_seconds),
            settings=None if settings is None else settings.body() or None,
        )
        if not project:
            raise ValueError("nothing to change")
        return self._caller.change(
            "projects.update", ProjectChange.of, {"project": project}, request_id=request_id, project_id=project_id
        )

    def delete(self, project_id: str, *, request_id: str | None = None) -> ProjectChange:
        """With every branch, history and snapshot in it. NeonNotFound when there is none (any more)."""
        return self._caller.change("projects.delete", ProjectChange.of, request_id=request_id, project_id=project_id)


def _checked_history(seconds: int | None) -> int | None:
    if seconds is not None and not 0 <= seconds <= MOST_HISTORY_SECONDS:
        raise ValueError(f"a history has 0 to {MOST_HISTORY_SECONDS} seconds")
    return seconds


def _unavailable_ids(page: Raw) -> tuple[str, ...]:
    ids = page.get("unavailable_project_ids")
    return tuple(str(item) for item in ids) if isinstance(ids, list) else ()
