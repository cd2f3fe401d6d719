"""manage.py connect: takes a Neon project into the portal's care, or examines those that are."""

from __future__ import annotations

import getpass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.domain.people import Actor, command_actor
from backups.domain.policy import Environment
from backups.models import Project, ProtectedBranch
from backups.neon.secret import Secret
from backups.services.connect import ConnectRefused, connect_project, examine_project, is_this_machine
from backups.services.environment import set_label
from backups.services.restore.errors import Refused

_MARKS = {"ok": "ok        ", "to_do": "to do     ", "unknown": "can't tell"}


class Command(BaseCommand):
    help = (
        "Registers a Neon project with its branches, keeps the API key encrypted, and says of everything that a "
        "restore needs whether it is ok, to do, or can't be told. Without a project it examines all that are "
        "connected. The key is read from NEON_API_KEY (or NEON_API_KEY_FILE), never from an argument. Nothing is "
        "changed at Neon; it can be run again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", default=settings.NEON_PROJECT_ID, help="Neon's id (default: NEON_PROJECT_ID)")
        parser.add_argument("--api-host", default=settings.NEON_API_HOST, help="Default: NEON_API_HOST")
        parser.add_argument("--sandbox", action="store_true", help="Not Neon itself: its records are no evidence")
        parser.add_argument(
            "--production", action="append", default=[], metavar="BRANCH", help="Label a branch as production"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        actor = command_actor("connect", operator=getpass.getuser())
        try:
            for project in self._projects(actor, options):
                self._show(self._labelled(actor, project, options["production"]))
        except ConnectRefused as refused:
            raise CommandError(refused.sentence) from None

    def _projects(self, actor: Actor, options: dict[str, Any]) -> list[Project]:
        if options["project"] and settings.NEON_API_KEY:
            connected = connect_project(
                actor=actor,
                neon_project_id=options["project"],
                api_host=options["api_host"],
                api_key=Secret(settings.NEON_API_KEY),
                is_sandbox=options["sandbox"] or is_this_machine(options["api_host"]),
            )
            return [connected]
        known = Project.objects.order_by("name")
        if options["project"]:
            known = known.filter(neon_project_id=options["project"])
        if not known:
            raise CommandError(
                "There is no project to examine. Set NEON_API_KEY and NEON_PROJECT_ID (or --project) and run it again. "
                "Nothing was stored."
            )
        return [examine_project(actor=actor, project_id=project.pk) for project in known]

    def _labelled(self, actor: Actor, project: Project, names: list[str]) -> Project:
        """With a report that knows of the labels."""
        if not names:
            return project
        self._label(actor, project, names)
        return examine_project(actor=actor, project_id=project.pk)

    def _label(self, actor: Actor, project: Project, names: list[str]) -> None:
        """One person may guard a branch more; a lower label takes two people and is given in the portal."""
        for name in names:
            branch = ProtectedBranch.objects.filter(project=project, name=name).first()
            if branch is None:
                raise CommandError(f"{project.name} has no branch {name}. It was connected; no label was given.")
            try:
                set_label(branch_id=branch.pk, label=Environment.PRODUCTION, actor=actor)
            except Refused as refused:
                raise CommandError(refused.sentence) from None

    def _show(self, project: Project) -> None:
        kind = " (sandbox)" if project.is_sandbox else ""
        self.stdout.write(f"{project.name}{kind}, {project.neon_project_id}")
        for line in project.connect_report["lines"]:
            self.stdout.write(f"  {_MARKS[line['status']]}  {line['title']}: {line['sentence']}")
            if line["next"]:
                self.stdout.write(f"              {line['next']}")
