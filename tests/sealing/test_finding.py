"""The monitor says when the ledger is not sealed or not kept elsewhere, and is silent when all is well."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pytest

from backups.domain.monitor import FindingCode, Severity
from backups.models import AnchorReceipt
from backups.selectors.clock import database_now
from backups.services.monitor.controls.ledger import sealed
from backups.services.sealing.errors import SealRefused
from backups.services.sealing.loop import record_refusal_to_seal
from backups.services.sealing.places import lies_on_this_host
from tests.ledger.sample_log import ORIGIN
from tests.support.sealing import SealedPortal, comment

ROOT = Path("/").stat().st_dev


def said(after: dt.timedelta = dt.timedelta(0)) -> list[tuple[str, str | None]]:
    return [(found.subject, found.severity) for found in sealed(database_now() + after)]


def test_all_is_well(portal: SealedPortal):
    assert said() == []
    comment()
    portal.seal()
    assert said(dt.timedelta(hours=1)) == []


def test_events_wait_for_the_seal(portal: SealedPortal):
    comment()
    assert said() == []
    assert said(dt.timedelta(minutes=3)) == [("seal", Severity.CRITICAL)]


def test_checkpoints_wait_for_an_anchor(portal: SealedPortal):
    comment()
    portal.anchor.path.rmdir()
    portal.seal()
    assert not AnchorReceipt.objects.exists()
    assert said(dt.timedelta(minutes=6)) == []
    assert said(dt.timedelta(minutes=9)) == [("anchor", Severity.CRITICAL)]


def test_the_sealer_refuses(portal: SealedPortal):
    with portal.as_sealer():
        record_refusal_to_seal(SealRefused("set_back", "It was set back."))
    assert said() == [("refusal set_back", Severity.CRITICAL)]


def test_an_anchor_on_the_same_disk_is_a_notice(portal: SealedPortal, settings: Any):
    settings.LEDGER_ANCHOR_DIRS = ["/", "/nowhere"]
    assert said() == [("anchor /", Severity.NOTICE)]
    settings.LEDGER_ANCHOR_DIRS = ["/proc"]
    assert said() == []


def test_an_installation_without_a_sealer_has_one_finding(portal: SealedPortal, settings: Any):
    comment()
    settings.LEDGER_ORIGIN = ""
    [found] = sealed(database_now() + dt.timedelta(hours=1))
    assert (found.code, found.subject) == (FindingCode.LEDGER_NOT_SEALED, "sealer")
    settings.LEDGER_ORIGIN = ORIGIN
    portal.seal()
    assert said(dt.timedelta(hours=1)) == []


@pytest.mark.parametrize(
    ("mount", "is_here"),
    [
        ("ext4 /dev/sdb1 rw", True),
        ("xfs /dev/mapper/data rw", True),
        ("nfs4 backup.example.org:/worm rw", False),
        ("fuse.s3fs s3fs rw", False),
    ],
)
def test_another_disk_of_this_host_is_no_place_elsewhere(tmp_path: Path, mount: str, is_here: bool):
    elsewhere = next((Path(each) for each in ("/dev/shm", "/proc") if Path(each).stat().st_dev != ROOT), None)
    assert elsewhere
    device = elsewhere.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 0:1 / / rw - overlay overlay rw\n"
        f"2 1 {os.major(device)}:{os.minor(device)} / {elsewhere} rw,noatime master:1 - {mount}\n"
    )
    assert lies_on_this_host(elsewhere, mounts=mounts) is is_here
    assert not lies_on_this_host(elsewhere, mounts=tmp_path / "not Linux")
    assert lies_on_this_host(Path("/"), mounts=mounts)
    assert not lies_on_this_host(tmp_path / "nowhere")


def test_each_anchor_is_overdue_by_its_own_rhythm(portal: SealedPortal, settings: Any):
    settings.LEDGER_TSA_URL, settings.LEDGER_TSA_SECONDS = "https://tsa.example", 3600
    comment()
    portal.seal()
    assert said(dt.timedelta(minutes=70)) == []
    [late] = sealed(database_now() + dt.timedelta(minutes=80))
    assert (late.code, late.subject) == (FindingCode.ANCHOR_OVERDUE, "anchor rfc3161:tsa.example")
