"""Another key from now on. The old key vouches for the new one, and counts for the trees of its own time alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from backups.ledger.signer import new_signer
from backups.ledger.verifier.notes import VerifierKey
from backups.services.sealing.errors import KeyUnusable
from backups.services.sealing.keys import key_line, open_key_ring, write_key_file, write_known_keys
from backups.services.sealing.memory import write_whole
from backups.services.sealing.sealer import hold_sealers_off, newest_note


@dataclass(frozen=True, slots=True)
class KeyChange:
    """`note` is signed by the old key and holds a line for each key; `size` is the last tree of the old one."""

    new: VerifierKey
    size: int
    note: str


def rotate_key() -> KeyChange:
    """Replaces the key's file while no sealer signs. Raises KeyUnusable when the key is not in a file."""
    name = os.environ.get("LEDGER_KEY_FILE")
    if not name:
        raise KeyUnusable("The key is in LEDGER_KEY and not in a file, so it cannot be replaced here.")
    ring = open_key_ring()
    with transaction.atomic():
        hold_sealers_off()
        newest = newest_note()
        size = newest.size if newest else 0
        old, signer = ring.signer, new_signer(ring.signer.name)
        retired = [key._replace(until_size=min(key.until_size, size)) for key in ring.known]
        fresh = signer.verifier_key._replace(from_size=size + 1)
        lines = [key_line(key) for key in [*retired, fresh]]
        note = old.sign("".join(f"{line}\n" for line in [f"ccops.keys/1 {old.name}", *lines]))
        write_whole(settings.LEDGER_STATE_DIR / f"key-change-{size:012d}.note", note, mode=0o644)
        write_known_keys([*retired, fresh])
        write_key_file(Path(name), signer)
    return KeyChange(new=signer.verifier_key, size=size, note=note)
