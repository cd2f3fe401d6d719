"""A bundle: a directory or a zip file with events, the words that they commit to, checkpoints and proofs.

manifest.json       {"format": "ccops.bundle/1", "origin", "size", "whole", "sha256": {file: hash}}
events.jsonl        the exact bytes of one event a line; in a whole bundle line n is entry n of the tree
leaves.txt          the hash that the sealer wrote down for each line, in hex (only to name what was changed)
texts.jsonl         {"event", "salt", "text"}: what people wrote
checkpoints.jsonl   {"note", "at"}, the smallest first
proofs/ID.tlog-proof   in a selection: that the event stands in the tree
anchors/            copies of what was anchored; never believed, the auditor's own count
anchors/timestamps/NAME.checkpoint, NAME.checkpoint.tsr   time stamps of authorities, each with what it is of
README.txt          how to check all of it
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, cast

from backups.ledger.verifier.event import parsed_time
from backups.ledger.verifier.log import Anchor, Entry, LogCheck, Report, anchors_that_contradict
from backups.ledger.verifier.notes import (
    Checkpoint,
    NoteRefused,
    VerifierKey,
    checked_proof,
    parse_checkpoint,
    trusted_checkpoint,
)
from backups.ledger.verifier.timestamps import TIME_STAMP, check_time_stamps

BUNDLE_FORMAT = "ccops.bundle/1"
_FILES = ("events.jsonl", "leaves.txt", "texts.jsonl", "checkpoints.jsonl")
_LONGEST_LINE_BYTES = 4 * 1024 * 1024
# How many checkpoints at the end may be unsigned before the search for a signed one is given up.
_HEADS_TRIED = 20


class BundleUnusable(ValueError):
    """What was handed over cannot be read as a bundle; nothing can be said of the log."""


class Bundle:
    """Reads the files of a directory or of a zip file, line by line."""

    def __init__(self, path: Path) -> None:
        self._directory = path if path.is_dir() else None
        try:
            self._zip = None if self._directory else zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise BundleUnusable("%s is neither a directory nor a zip file (%s)." % (path, error)) from None
        self.manifest = self._manifest()

    def names(self) -> List[str]:
        if self._directory:
            found = (each for each in self._directory.rglob("*") if each.is_file())
            return sorted(each.relative_to(self._directory).as_posix() for each in found)
        return sorted(name for name in self._opened().namelist() if not name.endswith("/"))

    def lines(self, name: str) -> Iterator[bytes]:
        """Without the newline at their ends. Raises BundleUnusable when the file is missing."""
        with self._open(name) as file:
            while True:
                line = file.readline(_LONGEST_LINE_BYTES)
                if not line:
                    return
                yield line[:-1] if line.endswith(b"\n") else line

    def text(self, name: str) -> str:
        return b"\n".join(self.lines(name)).decode("utf-8", "replace") + "\n"

    def data(self, name: str) -> bytes:
        """The beginning of a small file."""
        with self._open(name) as file:
            return file.read(_LONGEST_LINE_BYTES)

    def sha256(self, name: str) -> str:
        digest = hashlib.sha256()
        with self._open(name) as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
        return digest.hexdigest()

    def _open(self, name: str) -> BinaryIO:
        try:
            if self._directory:
                return (self._directory / name).open("rb")
            return cast(BinaryIO, self._opened().open(name))
        except (OSError, KeyError):
            raise BundleUnusable("The bundle has no file %s." % name) from None

    def _opened(self) -> zipfile.ZipFile:
        if self._zip is None:
            raise BundleUnusable("The bundle is not open.")
        return self._zip

    def _manifest(self) -> Dict[str, Any]:
        try:
            manifest = json.loads(self.text("manifest.json"))
        except ValueError:
            raise BundleUnusable("The bundle's manifest.json cannot be read.") from None
        if not isinstance(manifest, dict) or manifest.get("format") != BUNDLE_FORMAT:
            raise BundleUnusable("The bundle is not of the form %s." % BUNDLE_FORMAT)
        return manifest


def verify_bundle(
    bundle: Bundle, *, keys: Sequence[VerifierKey], anchors: Sequence[Anchor], strict: bool = False
) -> Report:
    """Everything that can be said of the bundle with keys and anchors that did not come from it."""
    report = Report()
    _check_files(bundle, report)
    check_anchors(anchors, report)
    commitments = _Commitments()
    if bundle.manifest.get("whole"):
        _check_whole(bundle, report, keys, anchors, strict, commitments)
    else:
        _check_selection(bundle, report, keys, anchors, commitments)
    if report.entries and "texts.jsonl" in bundle.names():
        commitments.check(bundle.lines("texts.jsonl"), report)
    _check_time_stamps(bundle, report)
    return report


def _check_time_stamps(bundle: Bundle, report: Report) -> None:
    if not any(name.endswith(TIME_STAMP) for name in bundle.names()):
        return
    signed = bundle.lines("checkpoints.jsonl") if "checkpoints.jsonl" in bundle.names() else iter(())
    check_time_stamps(bundle.names(), bundle.data, {_note_in(line) for line in signed}, report)


def _note_in(line: bytes) -> str:
    try:
        return str(json.loads(line)["note"])
    except (ValueError, KeyError, TypeError):
        return ""


def check_anchors(anchors: Sequence[Anchor], report: Report) -> None:
    for sentence in anchors_that_contradict(anchors):
        report.altered(sentence)
    if not anchors:
        report.remarks.append(
            "No anchor was given. Without a checkpoint that was kept elsewhere a cut end, a log that was removed "
            "as a whole and one that was made anew with a stolen key cannot be told from the real one."
        )


def _check_files(bundle: Bundle, report: Report) -> None:
    hashes = bundle.manifest.get("sha256", {})
    present = set(bundle.names()) - {"manifest.json"}
    if bundle.manifest.get("whole") and not present & set(_FILES) <= set(hashes):
        report.unclear("The bundle's manifest does not name all of its files.")
    for name in sorted(set(hashes) - present):
        report.unclear("The bundle is not complete: %s is missing." % name)
    for name in sorted(present & set(hashes)):
        if bundle.sha256(name) != hashes[name]:
            report.altered("The file %s of the bundle is not the one that its manifest names." % name)


def _check_whole(
    bundle: Bundle,
    report: Report,
    keys: Sequence[VerifierKey],
    anchors: Sequence[Anchor],
    strict: bool,
    commitments: _Commitments,
) -> None:
    checkpoints = _checkpoints(bundle, report)
    head = trusted_head([note for note, _ in checkpoints], keys, anchors, report)
    if head is None:
        return
    origins = {checkpoint.origin for checkpoint, _ in checkpoints} | {anchor.checkpoint.origin for anchor in anchors}
    if origins - {head.origin}:
        report.unclear("The checkpoints and anchors are of several logs: %s." % ", ".join(sorted(origins)))
        return
    check = LogCheck(report, head=head, checkpoints=checkpoints, anchors=anchors, strict=strict)
    noted = bundle.lines("leaves.txt") if "leaves.txt" in bundle.names() else iter(())
    for body in bundle.lines("events.jsonl"):
        commitments.note(body)
        check.add(Entry(body, _hash_in(next(noted, b""))))
    check.finish()
    if (bundle.manifest.get("origin"), bundle.manifest.get("size")) != (head.origin, check.size):
        report.unclear("The bundle's manifest is of another log, or of another number of events.")


def _hash_in(line: bytes) -> Optional[bytes]:
    try:
        return bytes.fromhex(line.decode("ascii")) or None
    except ValueError:
        return None


def _checkpoints(bundle: Bundle, report: Report) -> List[Tuple[Checkpoint, Optional[datetime]]]:
    found = []
    for line in bundle.lines("checkpoints.jsonl"):
        try:
            row = json.loads(line)
            found.append((parse_checkpoint(row["note"]), parsed_time(str(row.get("at", "")))))
        except (ValueError, KeyError, TypeError):
            report.altered("A line of checkpoints.jsonl is not a checkpoint.")
    return found


def trusted_head(
    checkpoints: Iterable[Checkpoint], keys: Sequence[VerifierKey], anchors: Sequence[Anchor], report: Report
) -> Optional[Checkpoint]:
    """The largest checkpoint that a trusted key has signed; each larger one that it passes over is reported."""
    newest_first = sorted(checkpoints, key=lambda checkpoint: -checkpoint.size)
    if not newest_first:
        report.unclear("There is no checkpoint, so there is nothing to hold the events against.")
    for checkpoint in newest_first[:_HEADS_TRIED]:
        try:
            return trusted_checkpoint(checkpoint.note, keys)
        except NoteRefused as error:
            _not_trusted(checkpoint, keys, report, str(error))
    return max((anchor.checkpoint for anchor in anchors), key=lambda checkpoint: checkpoint.size, default=None)


def _not_trusted(checkpoint: Checkpoint, keys: Sequence[VerifierKey], report: Report, why: str) -> None:
    sentence = "The checkpoint of %d events cannot be trusted: %s" % (checkpoint.size, why)
    if any(key.name == checkpoint.origin for key in keys):
        report.altered(sentence + " Either it was forged, or your list of keys is older than a change of the key.")
    else:
        report.unclear("%s Your list holds no key of the log %s." % (sentence, checkpoint.origin))


def _check_selection(
    bundle: Bundle,
    report: Report,
    keys: Sequence[VerifierKey],
    anchors: Sequence[Anchor],
    commitments: _Commitments,
) -> None:
    roots = {anchor.checkpoint.size: anchor.checkpoint.root for anchor in anchors}
    for body in bundle.lines("events.jsonl"):
        report.entries += 1
        commitments.note(body)
        _check_one(bundle, report, keys, body, roots)
    report.remarks.append("The bundle is a selection: that nothing was left out of it, it cannot show.")


def _check_one(
    bundle: Bundle, report: Report, keys: Sequence[VerifierKey], body: bytes, roots: Dict[int, bytes]
) -> None:
    event_id = _id_of(body)
    try:
        _, checkpoint = checked_proof(bundle.text("proofs/%s.tlog-proof" % event_id), body, keys)
    except NoteRefused as error:
        report.altered("The event %s is not proven: %s" % (event_id, error))
        return
    except BundleUnusable as error:
        report.unclear("The event %s has no proof: %s" % (event_id, error))
        return
    report.sealed += 1
    kept = roots.get(checkpoint.size)
    if kept is not None and kept != checkpoint.root:
        report.altered("The checkpoint that proves %s is not the one that was anchored." % event_id)
    report.anchored += kept == checkpoint.root


def _id_of(body: bytes) -> str:
    try:
        event_id = str(json.loads(body)["id"])
    except (ValueError, KeyError, TypeError):
        return "unreadable"
    return event_id if event_id.replace("-", "").isalnum() else "unreadable"


def _some(event_ids: Sequence[str]) -> str:
    return ", ".join(event_ids[:5]) + (", …" if len(event_ids) > 5 else "")


class _Commitments:
    """What the events say of the words that people wrote with them."""

    def __init__(self) -> None:
        self._by_event: Dict[str, str] = {}
        self._erased: Dict[str, str] = {}

    def note(self, body: bytes) -> None:
        if b'"text_commit"' not in body and b'"text.erased"' not in body:
            return
        try:
            event = json.loads(body)
            if event["type"] == "text.erased":
                self._erased[event["data"]["erased_event"]] = event["data"]["text_commitment"]
            else:
                self._by_event[event["id"]] = event["reason"]["text_commit"]
        except (ValueError, KeyError, TypeError):
            return

    def check(self, lines: Iterable[bytes], report: Report) -> None:
        absent = dict(self._by_event)
        for line in lines:
            try:
                row = json.loads(line)
                sealed = bytes.fromhex(row["salt"]) + row["text"].encode("utf-8")
                event_id = row["event"]
            except (ValueError, KeyError, TypeError, AttributeError):
                report.altered("A line of texts.jsonl cannot be read.")
                continue
            if self._by_event.get(event_id) != "sha256:" + hashlib.sha256(sealed).hexdigest():
                report.altered("The words kept with event %s are not those that were written then." % event_id)
            absent.pop(event_id, None)
        erased = [event_id for event_id in absent if self._erased.get(event_id) == absent[event_id]]
        if erased:
            said = "Erased, as events of this log say: the words of %d events (%s)."
            report.remarks.append(said % (len(erased), _some(erased)))
        if len(absent) > len(erased):
            said = "The words of %d events are not in the bundle, and no event in it says that they were erased (%s)."
            report.remarks.append(said % (len(absent) - len(erased), _some(sorted(set(absent) - set(erased)))))
