"""The key of the ledger: a file or a variable that only the sealer's process is given."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from backups.ledger.signer import Signer, new_signer, read_signer
from backups.ledger.verifier.notes import NoteRefused, VerifierKey, parse_verifier_keys
from backups.services.sealing.errors import KeyUnusable
from backups.services.sealing.memory import write_whole

logger = logging.getLogger(__name__)

_VKEYS = "vkeys.txt"


@dataclass(slots=True)
class KeyRing:
    """The key that signs now, read again when its file was replaced; and the public keys that ever signed here."""

    signer: Signer
    file: Path | None
    known: Sequence[VerifierKey]
    _stamp: tuple[int, int] = (0, 0)

    def current(self) -> Signer:
        """Call it with the sealer's lock held, so that a change of the key is never met halfway."""
        stamp = _stamp_of(self.file)
        if self.file and stamp != self._stamp:
            self.signer, self._stamp = _checked(self.file.read_text(encoding="utf-8")), stamp
            self.known = remember_key(self.signer.verifier_key)
        return self.signer


def open_key_ring() -> KeyRing:
    """The key of LEDGER_KEY_FILE or LEDGER_KEY. Raises KeyUnusable."""
    name = os.environ.get("LEDGER_KEY_FILE")
    file = Path(name) if name else None
    try:
        text = file.read_text(encoding="utf-8") if file else os.environ.get("LEDGER_KEY", "")
    except OSError as error:
        raise KeyUnusable(f"LEDGER_KEY_FILE names {name}, which cannot be read: {error.strerror}.") from None
    signer = _checked(text)
    if file and file.stat().st_mode & 0o077:
        logger.warning("The ledger's key %s can be read by others than its owner: chmod 0400 it.", file)
    return KeyRing(signer=signer, file=file, known=remember_key(signer.verifier_key), _stamp=_stamp_of(file))


def make_missing_key() -> Signer | None:
    """Makes the file of LEDGER_KEY_FILE where it is missing; the new key, or None when there was one."""
    name = os.environ.get("LEDGER_KEY_FILE")
    if os.environ.get("LEDGER_KEY") or (name and Path(name).exists()):
        return None
    if not name:
        raise KeyUnusable("Set LEDGER_KEY_FILE to the path at which the ledger's key is to be made. Nothing was made.")
    signer = new_signer(_origin())
    write_key_file(Path(name), signer)
    return signer


def write_key_file(path: Path, signer: Signer) -> None:
    """Readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, signer.reveal() + "\n", mode=0o400)


def known_keys() -> list[VerifierKey]:
    """The public keys that this sealer's directory lists. Raises KeyUnusable when the list is damaged."""
    path = settings.LEDGER_STATE_DIR / _VKEYS
    try:
        return parse_verifier_keys(path.read_text(encoding="utf-8")) if path.exists() else []
    except NoteRefused as refused:
        raise KeyUnusable(f"{path} cannot be used: {refused}") from None


def write_known_keys(keys: Sequence[VerifierKey]) -> None:
    settings.LEDGER_STATE_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [key_line(key) for key in keys]
    head = f"# Public keys of the log {settings.LEDGER_ORIGIN}. Auditors keep a copy of their own.\n"
    write_whole(settings.LEDGER_STATE_DIR / _VKEYS, head + "".join(f"{line}\n" for line in lines), mode=0o644)


def remember_key(key: VerifierKey) -> list[VerifierKey]:
    """Adds the key to the list, if it is not there yet; returns the list."""
    keys = known_keys()
    if all(known.public_key != key.public_key for known in keys):
        keys.append(key)
        write_known_keys(keys)
    return keys


def key_line(key: VerifierKey) -> str:
    """As it stands in a list of keys."""
    since = f" from={key.from_size}" if key.from_size else ""
    until = f" until={key.until_size}" if key.until_size < 2**63 else ""
    return f"{key.text()}{since}{until}"


def _checked(text: str) -> Signer:
    if not text.strip():
        raise KeyUnusable("The sealer has no key. Set LEDGER_KEY_FILE, or run set_up_ledger, which makes one.")
    try:
        signer = read_signer(text)
    except NoteRefused as refused:
        raise KeyUnusable(str(refused)) from None
    if signer.name != _origin():
        raise KeyUnusable(f"The key is of the log {signer.name}, and LEDGER_ORIGIN is {_origin()}. Nothing is signed.")
    return signer


def _origin() -> str:
    if not settings.LEDGER_ORIGIN:
        raise KeyUnusable("LEDGER_ORIGIN is not set: the log has no name to sign for.")
    return str(settings.LEDGER_ORIGIN)


def _stamp_of(file: Path | None) -> tuple[int, int]:
    if file is None:
        return (0, 0)
    found = file.stat()
    return (found.st_ino, found.st_mtime_ns)
