"""manage.py export_ledger: the whole sealed ledger as one bundle, or a part of it in one of three forms."""

from __future__ import annotations

import datetime as dt
import getpass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.domain.export import ExportFormat, ExportScope
from backups.domain.people import command_actor
from backups.domain.period import Period
from backups.services.export.by_command import export_to
from backups.services.sealing.bundle import export_bundle
from backups.services.sealing.errors import SealingError


class Command(BaseCommand):
    help = (
        "Writes events into a new file. Without options: all sealed events, the words that belong to them, checkpoints "
        "and the verifier, as a zip file. With a period or a filter a bundle has those events alone, each with its "
        "proof. A bundle holds what people wrote: hand it over as you would hand over the log itself."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=["csv", "ocsf", "bundle"], default="bundle")
        parser.add_argument("--from", dest="first", type=dt.date.fromisoformat, help="The first day (UTC), 2026-11-01")
        parser.add_argument("--to", dest="last", type=dt.date.fromisoformat, help="The last day (UTC), included")
        parser.add_argument("--type", default="", help="The first part of the types' names, such as request")
        parser.add_argument("--person", default="", help="The login of who did it")
        parser.add_argument("--target", default="", help="The id of what it is about, such as R-0007")
        parser.add_argument(
            "--with-sandbox", action="store_true", help="Events of sandbox projects too; they are no evidence"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path, scope, wanted = options["file"], _scope(options), ExportFormat(options["format"])
        actor = command_actor("export_ledger", operator=getpass.getuser())
        try:
            if wanted is ExportFormat.BUNDLE and scope in (ExportScope(), ExportScope(with_sandbox=True)):
                count = export_bundle(path, actor=actor)
            else:
                count = export_to(path, format=wanted, scope=scope, actor=actor).events
        except FileExistsError:
            raise CommandError(f"{path} is there already. Nothing was written.") from None
        except OSError as error:
            raise CommandError(f"{path} could not be written: {error.strerror}.") from None
        except SealingError as error:
            raise CommandError(str(error)) from None
        how = "An auditor runs the carecircle_verify.py in it, or their own copy." if wanted.ending == "zip" else ""
        self.stdout.write(f"{count} events are in {path}. {how}".strip())


def _scope(options: dict[str, Any]) -> ExportScope:
    family = options["type"].rstrip(".")
    return ExportScope(
        period=_period(options["first"], options["last"]),
        family=f"{family}." if family else "",
        person=_person(options["person"]),
        target=options["target"],
        with_sandbox=options["with_sandbox"],
    )


def _period(first: dt.date | None, last: dt.date | None) -> Period | None:
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise CommandError("Give both --from and --to, or none of them. Nothing was written.")
    try:
        return Period(first, last)
    except ValueError as error:
        raise CommandError(f"{error} Nothing was written.") from None


def _person(login: str) -> str:
    if not login:
        return ""
    found = User.objects.filter(username=login).first()
    if found is None:
        raise CommandError(f"Nobody here is called {login}. Nothing was written.")
    return f"user:{found.pk}"
