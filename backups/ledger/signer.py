"""The key that signs checkpoints. Only the sealer ever holds one.

The text form is that of Go's golang.org/x/mod/sumdb/note: `PRIVATE+KEY+name+id+base64(type, seed)`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backups.ledger.verifier.notes import (
    SIGNATURE_TYPE_ED25519,
    NoteRefused,
    VerifierKey,
    checkpoint_text,
    verifier_key,
)

_PREFIX = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs as `name`, which is also the origin of the log."""

    name: str
    seed: bytes = field(repr=False)

    @property
    def verifier_key(self) -> VerifierKey:
        return verifier_key(self.name, self._key().public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The note of this text, which must end with a newline."""
        if not text.endswith("\n"):
            raise ValueError("The text of a note ends with a newline.")
        signature = self.verifier_key.key_id + self._key().sign(text.encode("utf-8"))
        return f"{text}\n\N{EM DASH} {self.name} {base64.b64encode(signature).decode('ascii')}\n"

    def checkpoint(self, *, size: int, root: bytes) -> str:
        """The signed checkpoint of a tree."""
        return self.sign(checkpoint_text(self.name, size, root))

    def reveal(self) -> str:
        """The secret text, for the file that holds it."""
        material = base64.b64encode(bytes([SIGNATURE_TYPE_ED25519]) + self.seed).decode("ascii")
        return f"{_PREFIX}{self.name}+{self.verifier_key.key_id.hex()}+{material}"

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def new_signer(name: str) -> Signer:
    """A fresh key. Raises NoteRefused for a name that cannot stand in a note."""
    if not name or any(character.isspace() or character == "+" or ord(character) < 32 for character in name):
        raise NoteRefused(f"{name!r} cannot be the name of a log: no spaces, no plus sign, and not empty.")
    return Signer(name, secrets.token_bytes(32))


def read_signer(text: str) -> Signer:
    """The key of this secret text. Raises NoteRefused, which never repeats the text."""
    refused = NoteRefused("The ledger's key is not of the form PRIVATE+KEY+name+id+base64.")
    if not text.strip().startswith(_PREFIX):
        raise refused
    name, _, rest = text.strip()[len(_PREFIX) :].partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        material = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise refused from None
    if len(material) != 33 or material[0] != SIGNATURE_TYPE_ED25519:
        raise refused
    signer = Signer(name, material[1:])
    if signer.verifier_key.key_id.hex() != key_id:
        raise refused
    return signer


def fingerprint(key: VerifierKey) -> str:
    """The public key's SHA-256 in groups of four, to be read aloud and written on paper."""
    digits = hashlib.sha256(key.public_key).hexdigest()
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
