"""Writes a bundle for an auditor, in the form that `backups.ledger.verifier.bundle` reads.

Line by line into a zip file, so that a million events need no more memory than one.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

from backups.ledger.identifiers import utc_text
from backups.ledger.one_file import FILE_NAME, one_file
from backups.ledger.verifier.bundle import BUNDLE_FORMAT

_README = f"""A bundle of the CareCircle Ops ledger. Nothing in it can vouch for it: use your own keys and checkpoints.

The events, their order, their signatures, and the words that belong to them (Python 3.9 or later, nothing else):

    python3 {FILE_NAME} THIS-BUNDLE.zip --vkeys YOUR-KEYS.txt --anchors YOUR-CHECKPOINTS

The time stamps of authorities (RFC 3161), if there are any: unpack the bundle, take the authority's root certificate
from the authority itself, and run, for each NAME of anchors/timestamps/:

    openssl ts -verify -data NAME.checkpoint -in NAME.checkpoint.tsr -CAfile AUTHORITY-ROOT.pem
    openssl ts -reply -in NAME.checkpoint.tsr -text

The first must say "Verification: OK". The second shows the time at which the authority saw the checkpoint: the events
under it existed then, as they are.
"""


@dataclass(slots=True)
class BundleWriter:
    """`add_…` in any order, then `finish` once. `archive` must be open for writing."""

    archive: zipfile.ZipFile
    hashes: dict[str, str] = field(default_factory=dict)

    def add_lines(self, name: str, lines: Iterable[bytes]) -> int:
        """One file; returns the number of lines."""
        digest, count = hashlib.sha256(), 0
        with self.archive.open(name, "w", force_zip64=True) as file:
            for line in lines:
                digest.update(line + b"\n")
                file.write(line + b"\n")
                count += 1
        self.hashes[name] = digest.hexdigest()
        return count

    def add_events(self, bodies: Iterable[bytes]) -> int:
        return self.add_lines("events.jsonl", bodies)

    def add_leaves(self, hashes: Iterable[bytes]) -> int:
        return self.add_lines("leaves.txt", (each.hex().encode("ascii") for each in hashes))

    def add_checkpoints(self, checkpoints: Iterable[tuple[str, datetime]]) -> int:
        """Notes and when each was signed, the smallest first."""
        rows = ({"note": note, "at": utc_text(at)} for note, at in checkpoints)
        return self.add_lines("checkpoints.jsonl", (_json(row) for row in rows))

    def add_texts(self, texts: Iterable[tuple[str, str, str]]) -> int:
        """(event id, salt, text)"""
        rows = ({"event": event, "salt": salt, "text": text} for event, salt, text in texts)
        return self.add_lines("texts.jsonl", (_json(row) for row in rows))

    def add_receipts(self, rows: Iterable[Mapping[str, str]]) -> int:
        """What anchors have taken, for reference: a verifier believes the auditor's own copies and none of these."""
        return self.add_lines("anchors/receipts.jsonl", (_json(row) for row in rows))

    def add_time_stamp(self, *, size: int, authority: str, note: str, token: bytes) -> None:
        """An authority's answer (RFC 3161), and under the same name the exact bytes that it is of."""
        host = "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in authority)
        name = f"anchors/timestamps/{size:012d}-{host}.checkpoint"
        self._add_whole(name, note.encode("utf-8"))
        self._add_whole(f"{name}.tsr", token)

    def _add_whole(self, name: str, content: bytes) -> None:
        self.archive.writestr(name, content)
        self.hashes[name] = hashlib.sha256(content).hexdigest()

    def add_proof(self, event_id: str, text: str) -> None:
        self.add_lines(f"proofs/{event_id}.tlog-proof", text[:-1].encode("utf-8").split(b"\n"))

    def finish(
        self, *, origin: str, size: int, whole: bool, made_at: datetime, more: Mapping[str, Any] | None = None
    ) -> None:
        """Adds the verifier and the manifest. `whole`: line n of the events is entry n of the tree.

        `more`: what else the manifest says, for who reads it; the verifier does not.
        """
        self._add_whole("README.txt", _README.encode("utf-8"))
        self.add_lines(FILE_NAME, one_file()[:-1].encode("utf-8").split(b"\n"))
        manifest = dict(more or {}) | {
            "format": BUNDLE_FORMAT,
            "origin": origin,
            "size": size,
            "whole": whole,
            "made_at": utc_text(made_at),
            "sha256": self.hashes,
        }
        self.archive.writestr("manifest.json", json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def bundle_writer(target: IO[bytes]) -> BundleWriter:
    """A writer into this stream, which may be one that cannot seek. Close `.archive` at the end."""
    return BundleWriter(zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6))


def _json(row: Mapping[str, str]) -> bytes:
    return json.dumps(dict(row), ensure_ascii=False, sort_keys=True).encode("utf-8")
