"""Holds the stored time stamps against their checkpoints and the authority's certificates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from backups.ledger.verifier.log import Report
from backups.models import AnchorReceipt
from backups.selectors.sealed_log import time_stamps
from backups.services.sealing.errors import AnchorFailed
from backups.services.sealing.timestamp import TokenRefused, checked_time, read_roots, reference_of


def check_time_stamps(report: Report, *, roots_file: Path | None) -> None:
    """Reads each. Without certificates it only says how many it did not check."""
    try:
        roots = read_roots(roots_file) if roots_file else None
    except AnchorFailed as failed:
        report.unclear(f"Time stamps were not checked: {failed}")
        return
    good, unchecked = list[dt.datetime](), 0
    for receipt in time_stamps().iterator(chunk_size=100):
        if roots is None:
            unchecked += 1
        elif moment := _moment(receipt, roots, report):
            good.append(moment)
    if good:
        report.remarks.append(
            f"Time stamps: {len(good)} hold, the first of {_utc(min(good))}, the last {_utc(max(good))}."
        )
    if unchecked:
        report.remarks.append(
            f"Time stamps: {unchecked} were not checked, because no certificate of an authority was named "
            "(LEDGER_TSA_ROOTS, or --tsa-roots)."
        )


def _moment(receipt: AnchorReceipt, roots: Sequence[x509.Certificate], report: Report) -> dt.datetime | None:
    """When the authority saw the checkpoint; None after a finding."""
    which = f"The time stamp of the checkpoint of {receipt.checkpoint_id} events ({receipt.anchor})"
    try:
        moment = checked_time(bytes(receipt.evidence), receipt.checkpoint.note, roots)
    except TokenRefused as refused:
        if refused.is_unknown_authority:
            report.unclear(
                f"{which} leads to none of the certificates. Either it was altered, or the file of certificates does "
                "not hold the authority's root: keep former roots in it."
            )
        else:
            report.altered(f"{which} does not hold: {refused}.")
        return None
    if reference_of(moment) != receipt.reference:
        report.altered(f"{which} is of {_utc(moment)}, and its row says {receipt.reference}.")
        return None
    return moment


def _utc(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
