"""The command line of the one file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List, Optional, Sequence

from backups.ledger.verifier.bundle import Bundle, BundleUnusable, verify_bundle
from backups.ledger.verifier.kept import read_anchors
from backups.ledger.verifier.log import CANNOT_TELL, Report
from backups.ledger.verifier.notes import NoteRefused, VerifierKey, parse_verifier_keys


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The exit status."""
    options = _parser().parse_args(arguments)
    try:
        lines, status = _verify(options)
    except (BundleUnusable, NoteRefused, OSError) as error:
        lines, status = ["CANNOT TELL: %s" % error], CANNOT_TELL
    except Exception as error:  # a damaged file must never end with the status that says "altered"
        lines, status = ["CANNOT TELL: the bundle cannot be read (%s)." % type(error).__name__], CANNOT_TELL
    sys.stdout.write("".join("%s\n" % line for line in lines))
    return status


def _verify(options: argparse.Namespace) -> tuple[List[str], int]:
    keys = _keys(options.vkeys)
    bundle = Bundle(options.bundle)
    problems = Report()
    anchors = [each for place in options.anchors for each in read_anchors(place, keys, problems)]
    report = verify_bundle(bundle, keys=keys, anchors=anchors, strict=options.strict)
    report.findings += problems.findings
    report.remarks += problems.remarks
    return report.lines(), report.status


def _keys(path: Path) -> List[VerifierKey]:
    keys = parse_verifier_keys(path.read_text(encoding="utf-8"))
    if not keys:
        raise NoteRefused("%s holds no key, so no signature can be trusted." % path)
    return keys


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Verifies a bundle of the CareCircle Ops ledger.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a directory or a zip file")
    parser.add_argument("--vkeys", type=Path, required=True, help="your own copy of the log's public keys")
    parser.add_argument(
        "--anchors",
        type=Path,
        action="append",
        default=[],
        help="checkpoints that you kept yourself: a directory of files or saved messages, or one file. May be repeated",
    )
    parser.add_argument("--strict", action="store_true", help="check the canonical form of every event too")
    return parser
