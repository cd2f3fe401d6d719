"""manage.py rotate_ledger_key: the ledger is signed by a new key from now on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backups.ledger.signer import fingerprint
from backups.services.sealing.errors import SealingError
from backups.services.sealing.rotate import rotate_key


class Command(BaseCommand):
    help = (
        "Makes a new key at LEDGER_KEY_FILE. The old one signs a note that names the new one, and counts for no larger "
        "tree. A running sealer goes on with the new key by itself."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            change = rotate_key()
        except SealingError as error:
            raise CommandError(f"{error} Nothing was changed.") from None
        self.stdout.write(
            f"The new key signs trees of more than {change.size} events. Send auditors this note; they check it with "
            f"the old key and replace their list by the two lines in it.\n\n{change.note}\n"
            f"fingerprint of the new key  {fingerprint(change.new)}"
        )
