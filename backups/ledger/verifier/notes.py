"""Signed notes, checkpoints and proofs as the Community Cryptography Specification Project writes them.

c2sp.org/signed-note, c2sp.org/tlog-checkpoint and c2sp.org/tlog-proof, read at commit 5ba5ee8 of github.com/C2SP/C2SP.
Only Ed25519 (signature type 1) counts; what other signers added to a note is passed over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Iterable, List, NamedTuple, Sequence, Tuple

from backups.ledger.verifier.ed25519 import signature_holds
from backups.ledger.verifier.merkle import HASH_BYTES, inclusion_holds, leaf_hash

SIGNATURE_TYPE_ED25519 = 1
MAX_NOTE_BYTES = 100_000
PROOF_HEADER = "c2sp.org/tlog-proof@v1"

_SIGNATURE_LINE = re.compile("\N{EM DASH} ([^\\s+]+) ([A-Za-z0-9+/]+={0,2})")
_DECIMAL = re.compile("0|[1-9][0-9]{0,18}")
_MAX_PATH = 64


class NoteRefused(ValueError):
    """The text is not a note, or not one that a trusted key has signed. The message says which."""


class VerifierKey(NamedTuple):
    """A public key that somebody trusts for the notes of `name`, for trees from one size up to another."""

    name: str
    key_id: bytes
    public_key: bytes
    from_size: int = 0
    until_size: int = 2**63

    def text(self) -> str:
        return "%s+%s+%s" % (
            self.name,
            self.key_id.hex(),
            base64.b64encode(bytes([SIGNATURE_TYPE_ED25519]) + self.public_key).decode("ascii"),
        )


class Note(NamedTuple):
    """A note whose signatures have not been checked. `text` ends with a newline."""

    text: str
    signatures: List[Tuple[str, bytes, bytes]]
    """(name, key id, signature)"""


class Checkpoint(NamedTuple):
    """What a checkpoint says: the first `size` entries of the log `origin` have this root."""

    origin: str
    size: int
    root: bytes
    note: str


class EventProof(NamedTuple):
    """That an entry stands at `position` of the tree of a checkpoint. Nothing in it has been checked."""

    position: int
    path: List[bytes]
    checkpoint_note: str


def key_id_of(name: str, public_key: bytes) -> bytes:
    """The first four bytes of SHA-256(name, newline, signature type, public key)."""
    sealed = name.encode("utf-8") + b"\n" + bytes([SIGNATURE_TYPE_ED25519]) + public_key
    return hashlib.sha256(sealed).digest()[:4]


def verifier_key(name: str, public_key: bytes) -> VerifierKey:
    return VerifierKey(name, key_id_of(name, public_key), public_key)


def parse_verifier_key(line: str) -> VerifierKey:
    """Reads NAME+ID+KEY, which `from=SIZE` and `until=SIZE` may follow. Raises NoteRefused."""
    vkey, *limits = line.split() or [""]
    name, _, rest = vkey.partition("+")
    key_id, _, encoded = rest.partition("+")
    material = _base64(encoded)
    if len(material) != 33 or material[0] != SIGNATURE_TYPE_ED25519 or not name:
        raise NoteRefused("This is not an Ed25519 verifier key: %s" % line.strip())
    if key_id != key_id_of(name, material[1:]).hex():
        raise NoteRefused("The id in this verifier key is not the id of its key: %s" % line.strip())
    return _with_limits(verifier_key(name, material[1:]), limits)


def parse_verifier_keys(text: str) -> List[VerifierKey]:
    """One a line; empty lines and lines that begin with # are passed over. Raises NoteRefused."""
    lines = (line.strip() for line in text.splitlines())
    return [parse_verifier_key(line) for line in lines if line and not line.startswith("#")]


def _with_limits(key: VerifierKey, limits: Sequence[str]) -> VerifierKey:
    for limit in limits:
        word, _, number = limit.partition("=")
        if word not in ("from", "until") or not _DECIMAL.fullmatch(number):
            raise NoteRefused("After a verifier key only from=SIZE and until=SIZE may stand, not %s." % limit)
        key = key._replace(from_size=int(number)) if word == "from" else key._replace(until_size=int(number))
    return key


def parse_note(note: str) -> Note:
    """Takes a note apart. Raises NoteRefused."""
    if len(note.encode("utf-8", "replace")) > MAX_NOTE_BYTES:
        raise NoteRefused("The note is longer than %d bytes." % MAX_NOTE_BYTES)
    if any(ord(character) < 32 and character != "\n" for character in note):
        raise NoteRefused("The note holds a control character.")
    body, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise NoteRefused("The note has no signatures after an empty line.")
    return Note(body + "\n", [_signature(line) for line in tail[:-1].split("\n")])


def _signature(line: str) -> Tuple[str, bytes, bytes]:
    found = _SIGNATURE_LINE.fullmatch(line)
    signature = _base64(found.group(2)) if found else b""
    if not found or len(signature) < 5:
        raise NoteRefused("A signature line of the note has another form than it must have.")
    return found.group(1), signature[:4], signature[4:]


def verified_by(note: str, keys: Iterable[VerifierKey]) -> List[VerifierKey]:
    """The trusted keys that signed the note, at least one.

    Raises NoteRefused when none did, and also when one of them is named but its signature does not hold.
    """
    parsed = parse_note(note)
    trusted = {(key.name, key.key_id): key for key in keys}
    signers = []
    for name, key_id, signature in parsed.signatures:
        key = trusted.get((name, key_id))
        if key is None:
            continue
        if not signature_holds(public_key=key.public_key, message=parsed.text.encode("utf-8"), signature=signature):
            raise NoteRefused("The signature of %s+%s does not hold." % (name, key_id.hex()))
        signers.append(key)
    if not signers:
        raise NoteRefused("No key that is trusted has signed this.")
    return signers


def parse_checkpoint(note: str) -> Checkpoint:
    """What the note says, whoever signed it. Raises NoteRefused."""
    lines = parse_note(note).text[:-1].split("\n")
    if len(lines) < 3 or not all(lines) or not _DECIMAL.fullmatch(lines[1]):
        raise NoteRefused("The note is not a checkpoint.")
    root = _base64(lines[2])
    if len(root) != HASH_BYTES:
        raise NoteRefused("The root in the checkpoint is not a SHA-256 hash.")
    return Checkpoint(lines[0], int(lines[1]), root, note)


def trusted_checkpoint(note: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """The checkpoint, signed by a key that is trusted for its log and for a tree of its size. Raises NoteRefused."""
    checkpoint = parse_checkpoint(note)
    signers = [key for key in verified_by(note, keys) if key.name == checkpoint.origin]
    if not signers:
        raise NoteRefused("No trusted key of the log %s has signed this." % checkpoint.origin)
    if not any(key.from_size <= checkpoint.size <= key.until_size for key in signers):
        raise NoteRefused("The key that signed this was not in use for a tree of %d entries." % checkpoint.size)
    return checkpoint


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint, to be signed."""
    return "%s\n%d\n%s\n" % (origin, size, base64.b64encode(root).decode("ascii"))


def parse_proof(text: str) -> EventProof:
    """Takes a .tlog-proof file apart. Raises NoteRefused."""
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines.pop(0) != PROOF_HEADER:
        raise NoteRefused("This is not a proof of the form %s." % PROOF_HEADER)
    if lines and lines[0].startswith("extra "):
        lines.pop(0)
    word, _, index = (lines.pop(0) if lines else "").partition(" ")
    path = [_base64(line) for line in lines]
    if word != "index" or not _DECIMAL.fullmatch(index) or len(path) > _MAX_PATH:
        raise NoteRefused("The proof has another form than it must have.")
    if any(len(each) != HASH_BYTES for each in path):
        raise NoteRefused("A hash of the proof is not a SHA-256 hash.")
    return EventProof(int(index), path, note)


def proof_text(index: int, path: Iterable[bytes], checkpoint_note: str) -> str:
    """The file for one entry. Proofs without cosigners, so there is no `extra` line."""
    hashes = "".join("%s\n" % base64.b64encode(each).decode("ascii") for each in path)
    return "%s\nindex %d\n%s\n%s" % (PROOF_HEADER, index, hashes, checkpoint_note)


def checked_proof(text: str, entry: bytes, keys: Iterable[VerifierKey]) -> Tuple[int, Checkpoint]:
    """The index at which the entry stands, and the checkpoint that says so. Raises NoteRefused when it does not."""
    proof = parse_proof(text)
    checkpoint = parse_checkpoint(proof.checkpoint_note)
    if not inclusion_holds(
        index=proof.position, size=checkpoint.size, leaf=leaf_hash(entry), root=checkpoint.root, proof=proof.path
    ):
        raise NoteRefused("The entry is not number %d of the tree in this checkpoint." % proof.position)
    return proof.position, trusted_checkpoint(proof.checkpoint_note, keys)


def _base64(text: str) -> bytes:
    """Empty for what is not base64 in its one exact form."""
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return b""
    return decoded if base64.b64encode(decoded).decode("ascii") == text else b""
