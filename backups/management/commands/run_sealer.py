"""manage.py run_sealer: seals the ledger. run_worker starts it, or a service of its own under its own user."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups.services.sealing.configured import configured_anchors
from backups.services.sealing.errors import SealingError
from backups.services.sealing.keys import open_key_ring
from backups.services.sealing.loop import SealerLoop
from backups.services.sealing.memory import Memory
from backups.services.sealing.sealer import Sealer
from backups.worker.cluster import die_with_parent


class Command(BaseCommand):
    help = "Puts events into the ledger's tree and signs its head. Connects with LEDGER_DATABASE_URL. Stops on SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--die-with-parent", action="store_true", help="End when the starting process ends (Linux)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["die_with_parent"]:
            die_with_parent(os.getppid(), number=signal.SIGTERM)
        try:
            keys = open_key_ring()
        except SealingError as error:
            raise CommandError(str(error)) from None
        anchors = configured_anchors()
        loop = SealerLoop(Sealer(keys=keys, memory=Memory(settings.LEDGER_STATE_DIR), anchors=anchors))
        if not any(anchor.gates for anchor in anchors):
            self.stderr.write(
                "No anchor is configured (LEDGER_ANCHOR_DIRS): whoever owns the database can rewrite all."
            )

        def stop(number: int, frame: FrameType | None) -> None:
            loop.stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        loop.run()
