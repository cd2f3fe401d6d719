"""Time stamps (RFC 3161) that lie in a bundle or beside kept checkpoints, as NAME.checkpoint and NAME.checkpoint.tsr.

Their signatures are not checked here: that needs certificates. Checked is that each is of its checkpoint and that the
checkpoint is one of the bundle; how many are left for `openssl ts -verify` is said.
"""

from __future__ import annotations

import hashlib
from typing import AbstractSet, Callable, Iterable

from backups.ledger.verifier.log import Report

TIME_STAMP = ".tsr"


def check_time_stamps(
    names: Iterable[str], read: Callable[[str], bytes], notes: AbstractSet[str], report: Report
) -> None:
    """`read` gives a file's bytes, `notes` are the checkpoints of the bundle."""
    present = set(names)
    stamps = sorted(name for name in present if name.endswith(TIME_STAMP))
    for name in stamps:
        of = name[: -len(TIME_STAMP)]
        if of not in present:
            report.unclear("The time stamp %s lies there without its checkpoint." % name)
            continue
        note = read(of)
        if note.decode("utf-8", "replace") not in notes:
            report.altered("The checkpoint %s, which has a time stamp, is none of this bundle." % of)
        if hashlib.sha256(note).digest() not in read(name):
            report.altered("The time stamp %s is not of its checkpoint." % name)
    if stamps:
        report.remarks.append(
            "%d time stamps of authorities were not checked: this program knows no certificates. The bundle's "
            "README.txt has the command." % len(stamps)
        )
