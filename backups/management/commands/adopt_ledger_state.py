"""manage.py adopt_ledger_state: gives a sealer its memory anew, after a look at the whole tree and at the anchors."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.services.sealing.adopt import adopt
from backups.services.sealing.configured import configured_anchors
from backups.services.sealing.errors import SealingError
from backups.services.sealing.keys import open_key_ring


class Command(BaseCommand):
    help = (
        "For a sealer whose memory was lost, and for a second sealer. Reads the whole tree, checks the signature of "
        "its head and holds it against every anchor; writes the memory only if all of them agree. Then it closes the "
        "refusals that stop production restores. Never run it before you know why the memory is gone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", required=True, help="Your name")
        parser.add_argument("--because", required=True, help="What happened, in a sentence; no patient's data")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            size = adopt(
                keys=open_key_ring(), anchors=configured_anchors(), by=options["by"], because=options["because"]
            )
        except SealingError as error:
            raise CommandError(f"{error} Nothing was changed.") from None
        self.stdout.write(f"The sealer goes on from {size} events.")
