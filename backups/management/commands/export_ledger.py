"""manage.py export_ledger: the whole sealed ledger in one file, with the program that verifies it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.domain.people import command_actor
from backups.services.sealing.bundle import export_bundle
from backups.services.sealing.errors import SealingError


class Command(BaseCommand):
    help = (
        "Writes all sealed events, the words that belong to them, checkpoints and the verifier into a new zip file. "
        "The file holds what people wrote: hand it over as you would hand over the log itself."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            count = export_bundle(path, actor=command_actor("export_ledger", operator=getpass.getuser()))
        except FileExistsError:
            raise CommandError(f"{path} is there already. Nothing was written.") from None
        except OSError as error:
            raise CommandError(f"{path} could not be written: {error.strerror}.") from None
        except SealingError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{count} events are in {path}. An auditor runs the carecircle_verify.py in it, or their own copy."
        )
