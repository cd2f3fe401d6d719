"""manage.py verify_ledger: is the record in the database the one that was signed and kept elsewhere?"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from backups.domain.people import command_actor
from backups.ledger.verifier.log import CANNOT_TELL
from backups.ledger.verifier.notes import NoteRefused, VerifierKey, parse_verifier_keys
from backups.services.sealing.verify import configured_anchor_directories, verify_database


class Command(BaseCommand):
    help = (
        "Reads every event and holds it against the signed checkpoints and the anchors. Exit status: 0 verified, 1 "
        "altered (it says what, where and between which times), 2 it cannot tell. An auditor uses export_ledger and "
        "carecircle_verify.py instead, with keys and anchors of their own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--vkeys", type=Path, help="Your own list of public keys (default: the sealer's)")
        parser.add_argument(
            "--anchors",
            type=Path,
            action="append",
            help="A directory of checkpoints, or a saved digest (default: the directories in the settings)",
        )
        parser.add_argument(
            "--tsa-roots", type=Path, help="PEM file that time stamps must lead to (default: LEDGER_TSA_ROOTS)"
        )
        parser.add_argument("--strict", action="store_true", help="Check the canonical form of every event too")

    def handle(self, *args: Any, **options: Any) -> None:
        directories = options["anchors"]
        if directories is None:
            directories = configured_anchor_directories()
        try:
            keys = _keys(options["vkeys"] or settings.LEDGER_STATE_DIR / "vkeys.txt")
        except (OSError, NoteRefused) as error:
            self.stdout.write(f"CANNOT TELL: {error}")
            sys.exit(CANNOT_TELL)
        report = verify_database(
            keys=keys,
            anchor_directories=directories,
            strict=options["strict"],
            tsa_roots=options["tsa_roots"] or (Path(settings.LEDGER_TSA_ROOTS) if settings.LEDGER_TSA_ROOTS else None),
            actor=command_actor("verify_ledger", operator=getpass.getuser()),
        )
        for line in report.lines():
            self.stdout.write(line)
        sys.exit(report.status)


def _keys(path: Path) -> list[VerifierKey]:
    keys = parse_verifier_keys(path.read_text(encoding="utf-8"))
    if not keys:
        raise NoteRefused(f"{path} holds no key, so no signature can be trusted.")
    return keys
