"""manage.py setup_roles: the database roles under which web and worker run, and the sealer of the ledger."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from backups.services.database_roles import (
    configured_sealer_role,
    configured_web_role,
    current_database_role,
    set_up_sealer_role,
    set_up_web_role,
)


class Command(BaseCommand):
    help = (
        "Makes the role of DATABASE_URL and gives it its rights: it reads and writes, and cannot change or delete "
        "events; and the role of LEDGER_DATABASE_URL, if there is one, for the sealer. Connects with "
        "MIGRATE_DATABASE_URL, the owner of the tables. Run it after every migrate; running it again changes nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        web = configured_web_role()
        if web is None:
            raise CommandError("DATABASE_URL names no role. Nothing was changed. Write postgres://role:password@….")
        owner = current_database_role()
        if web.name == owner:
            self.stdout.write(self.style.WARNING(_one_role_sentence(owner)))
            return
        sealer = configured_sealer_role()
        if sealer and sealer.name in {web.name, owner}:
            raise CommandError(
                f"LEDGER_DATABASE_URL names {sealer.name}, which does other things too. Nothing was changed. Give the "
                "sealer a role of its own: whoever takes over a web process could write the tree otherwise."
            )
        try:
            lines = set_up_web_role(web) + (set_up_sealer_role(sealer) if sealer else [])
        except ProgrammingError as error:
            raise CommandError(_refused_sentence(owner, web.name, error)) from None
        for line in lines if options["verbosity"] else ():
            self.stdout.write(line)


def _one_role_sentence(owner: str) -> str:
    return (
        f"One database role does everything: {owner} owns the tables and serves the pages, so whoever takes over a "
        "web process could remove the triggers that guard the events. Nothing was changed. Set DATABASE_URL to a "
        "role of its own and MIGRATE_DATABASE_URL to the owner, then run this again."
    )


def _refused_sentence(owner: str, web: str, error: ProgrammingError) -> str:
    reason = str(error).splitlines()[0]
    return (
        f"PostgreSQL refused ({reason}), and nothing was changed. {owner} must own the portal's tables and, to make "
        f"{web}, have CREATEROLE. Or let an administrator run: CREATE ROLE {web} LOGIN PASSWORD '…'; and repeat this."
    )
