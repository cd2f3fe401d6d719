"""manage.py set_up_ledger: makes the key where there is none, seals what there is, prints what goes on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backups.ledger.signer import fingerprint
from backups.services.sealing.configured import configured_anchors
from backups.services.sealing.errors import SealingError
from backups.services.sealing.keys import make_missing_key, open_key_ring
from backups.services.sealing.loop import SealerLoop
from backups.services.sealing.memory import Memory
from backups.services.sealing.places import lies_on_this_host
from backups.services.sealing.sealer import Sealer, newest_note


class Command(BaseCommand):
    help = (
        "Makes the ledger's key at LEDGER_KEY_FILE if there is none, seals every event that there is, and prints the "
        "public key, its fingerprint and the newest checkpoint. Running it again changes nothing else."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = make_missing_key()
            keys = open_key_ring()
            sealer = Sealer(keys=keys, memory=Memory(settings.LEDGER_STATE_DIR), anchors=configured_anchors())
            sealer.begin()
            SealerLoop(sealer).work()
        except SealingError as error:
            raise CommandError(str(error)) from None
        key = keys.signer.verifier_key
        newest = newest_note()
        self.stdout.write("The ledger's key was made." if made else "The ledger's key was there already.")
        self.stdout.write(
            "Give the following to a person outside of IT, on paper: an auditor verifies the record with it, and "
            f"nobody can pass off another log as this one.\n\nlog          {key.name}\npublic key   {key.text()}\n"
            f"fingerprint  {fingerprint(key)}\n\n{newest.note if newest else 'There is no event yet.'}"
        )
        for anchor in sealer.anchors:
            role = "acts wait for it" if anchor.gates else "no act waits for it"
            self.stdout.write(f"anchor       {anchor.name} ({role})")
        for directory in settings.LEDGER_ANCHOR_DIRS:
            self._say_where(directory)

    def _say_where(self, directory: str) -> None:
        if lies_on_this_host(Path(directory)):
            self.stderr.write(
                f"The anchor {directory} lies on this host's own disk: whoever owns the host can change both. Mount a "
                "directory from elsewhere."
            )
