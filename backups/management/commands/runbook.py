"""manage.py runbook: one printable page for each project, for the hour in which the portal is down."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.domain.people import command_actor
from backups.models import Project
from backups.services.runbook.render import as_html, as_text
from backups.services.runbook.write import kept_path, make_runbook, write_runbook


class Command(BaseCommand):
    help = (
        "Writes the runbook of each project: ids, people who decide, steps in Neon's console and commands. It holds no "
        "key. Without --output the pages go to RUNBOOK_DIR; “--output -” prints one, as text with --text."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", default="", help="Neon's id, when it is about one of several projects")
        parser.add_argument("--output", default="", help="a file for one project, or - for standard output")
        parser.add_argument("--text", action="store_true", help="plain text instead of HTML, with --output -")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = _projects(options["project"])
        if options["output"] == "-":
            made = make_runbook(_only(projects)).runbook
            self.stdout.write(as_text(made) if options["text"] else as_html(made))
            return
        if options["output"]:
            self._write(_only(projects), Path(options["output"]))
            return
        for project in projects:
            path = kept_path(project)
            if path is None:
                raise CommandError("RUNBOOK_DIR is not set. Set it, or say where with --output. Nothing was written.")
            self._write(project, path)

    def _write(self, project: Project, path: Path) -> None:
        try:
            write_runbook(actor=command_actor("runbook", operator=getpass.getuser()), project=project, path=path)
        except OSError as error:
            raise CommandError(f"{path} could not be written: {error.strerror}.") from None
        self.stdout.write(str(path))


def _projects(neon_project_id: str) -> list[Project]:
    found = Project.objects.order_by("name")
    if neon_project_id:
        found = found.filter(neon_project_id=neon_project_id)
    if not found:
        raise CommandError("No such project is connected. Nothing was written.")
    return list(found)


def _only(projects: list[Project]) -> Project:
    if len(projects) != 1:
        raise CommandError(f"There are {len(projects)} projects. Name one with --project. Nothing was written.")
    return projects[0]
