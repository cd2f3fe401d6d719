"""manage.py verify_ledger: is the record in the database the one that was signed and kept elsewhere?"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from backups.domain.people import command_actor
from backups.ledger.verifier.log import CANNOT_TELL
from backups.services.sealing.errors import KeyUnusable
from backups.services.sealing.verify import (
    configured_anchor_directories,
    configured_keys,
    configured_tsa_roots,
    read_keys,
    verify_database,
)


class Command(BaseCommand):
    help = (
        "Reads every event and holds it against the signed checkpoints and the anchors. Exit status: 0 verified, 1 "
        "altered (it says what, where and between which times), 2 it cannot tell. An auditor uses export_ledger and "
        "carecircle_verify.py instead, with keys and anchors of their own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--vkeys", type=Path, help="Your own list of public keys (default: LEDGER_VKEYS_FILE, or the sealer's)"
        )
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
            keys = read_keys(options["vkeys"]) if options["vkeys"] else configured_keys()
        except KeyUnusable as error:
            self.stdout.write(f"CANNOT TELL: {error}")
            sys.exit(CANNOT_TELL)
        report = verify_database(
            keys=keys,
            anchor_directories=directories,
            strict=options["strict"],
            tsa_roots=options["tsa_roots"] or configured_tsa_roots(),
            actor=command_actor("verify_ledger", operator=getpass.getuser()),
        )
        for line in report.lines():
            self.stdout.write(line)
        sys.exit(report.status)
