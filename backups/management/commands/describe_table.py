"""manage.py describe_table: what the rows of a table mean to people, and whether losing them touches a patient."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.domain.people import command_actor
from backups.models import ProtectedBranch
from backups.selectors.project import governed_branches
from backups.services.environment import describe_table
from backups.services.restore.errors import InvalidInput, Refused


class Command(BaseCommand):
    help = (
        "Gives tables plain words, such as public.medication_logs=“doses given”. Those words stand first on the page "
        "that people decide on. An empty meaning takes the description away. Never put a patient's details here."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tables", nargs="+", metavar="SCHEMA.TABLE=MEANING")
        parser.add_argument("--branch", required=True, help="name of the branch in care")
        parser.add_argument("--project", default="", help="Neon's id, when several projects have such a branch")
        parser.add_argument("--patient-safety", action="store_true", help="lost rows can endanger a patient")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = command_actor("describe_table", operator=getpass.getuser())
        branch = _branch(options["branch"], options["project"])
        for said in options["tables"]:
            table, _, meaning = said.partition("=")
            try:
                describe_table(
                    branch_id=branch.pk,
                    table=table,
                    meaning=meaning,
                    patient_safety=options["patient_safety"],
                    actor=actor,
                )
            except InvalidInput as wrong:
                raise CommandError(f"{said}: {wrong}") from None
            except Refused as refused:
                raise CommandError(refused.sentence) from None
            self.stdout.write(f"{table}: {meaning or 'no description'}")


def _branch(name: str, project: str) -> ProtectedBranch:
    found = [
        branch
        for branch in governed_branches()
        if branch.name == name and project in {"", branch.project.neon_project_id}
    ]
    if len(found) != 1:
        raise CommandError(f"{len(found)} branches in care are called {name}. Name one, and its project if needed.")
    return found[0]
