"""Projects: read only. The portal never changes a project's settings."""

from __future__ import annotations

from backups.neon import wire
from backups.neon.calls import Caller
from backups.neon.paging import PAGE_SIZE, pages
from backups.neon.types import Project, ProjectList
from backups.neon.wire import Raw


class Projects:
    def __init__(self, caller: Caller, *, page_size: int = PAGE_SIZE) -> None:
        self._caller = caller
        self._page_size = page_size

    def list(self, *, org_id: str | None = None) -> ProjectList:
        """Every project that the key may see. A personal key has to name the organisation (NeonRefused
        otherwise); a project-scoped key may be refused altogether."""
        params = {} if org_id is None else {"org_id": wire.checked_id(org_id)}
        found: dict[str, Project] = {}
        unavailable: dict[str, None] = {}

        def build(page: Raw) -> tuple[Project, ...]:
            unavailable.update(dict.fromkeys(_unavailable_ids(page)))
            return tuple(Project.of(raw) for raw in wire.objects_in(page, "projects"))

        for page in pages(
            self._caller,
            "projects.list",
            build,
            cursor="cursor",
            params=params,
            page_size=self._page_size,
        ):
            found |= {project.id: project for project in page}
        return ProjectList(tuple(found.values()), tuple(unavailable))

    def get(self, project_id: str) -> Project:
        return self._caller.read(
            "projects.get", lambda raw: Project.of(wire.object_in(raw, "project")), project_id=project_id
        )


def _unavailable_ids(page: Raw) -> tuple[str, ...]:
    ids = page.get("unavailable_project_ids")
    return tuple(str(item) for item in ids) if isinstance(ids, list) else ()
