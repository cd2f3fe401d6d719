"""Setting the ledger up, changing its key, and giving a sealer its memory back."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from backups.ledger.signer import read_signer
from backups.ledger.verifier.notes import NoteRefused, parse_verifier_keys, trusted_checkpoint, verified_by
from backups.models import AnchorReceipt, Heartbeat, LedgerCheckpoint, LedgerEvent, SealerRefusal
from backups.services.sealing.errors import KeyUnusable, SealRefused
from backups.services.sealing.keys import make_missing_key, open_key_ring
from backups.services.sealing.loop import SealerLoop, record_refusal_to_seal
from backups.services.sealing.memory import Memory
from backups.services.sealing.sealer import Sealer
from backups.services.sealing.watch import record_heartbeat_event, seal_findings, watch_the_seal
from tests.ledger.sample_log import ORIGIN
from tests.support.sealing import SealedPortal, comment


@pytest.fixture
def installed(portal: SealedPortal, settings: Any, monkeypatch: pytest.MonkeyPatch) -> SealedPortal:
    """With the key in a file that is not there yet, as an installation has it."""
    monkeypatch.setenv("LEDGER_KEY_FILE", str(portal.directory / "keys" / "ledger.key"))
    settings.LEDGER_ANCHOR_DIRS = [str(portal.anchor.path)]
    return portal


def run(portal: SealedPortal, command: str, *arguments: str) -> str:
    out = io.StringIO()
    with portal.as_sealer():
        call_command(command, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def key_file(portal: SealedPortal) -> Path:
    return portal.directory / "keys" / "ledger.key"


def test_setting_up_makes_a_key_and_prints_what_goes_on_paper(installed: SealedPortal):
    comment()
    said = run(installed, "set_up_ledger")
    signer = read_signer(key_file(installed).read_text())
    assert key_file(installed).stat().st_mode & 0o777 == 0o400
    assert signer.verifier_key.text() in said
    assert LedgerCheckpoint.objects.get().note in said
    assert signer.reveal() not in said
    assert "lies on this host's own disk" in said
    assert AnchorReceipt.objects.exists()
    again = run(installed, "set_up_ledger")
    assert "was there already" in again
    assert read_signer(key_file(installed).read_text()) == signer


def test_a_key_that_others_can_read_is_told(installed: SealedPortal, caplog: pytest.LogCaptureFixture):
    run(installed, "set_up_ledger")
    assert "can be read by others" not in caplog.text
    key_file(installed).chmod(0o440)
    run(installed, "set_up_ledger")
    assert "can be read by others than its owner" in caplog.text
    assert "PRIVATE+KEY" not in caplog.text


def test_after_a_change_of_the_key_both_keys_count_for_their_own_trees(installed: SealedPortal):
    comment()
    run(installed, "set_up_ledger")
    old = read_signer(key_file(installed).read_text())
    said = run(installed, "rotate_ledger_key")
    new = read_signer(key_file(installed).read_text())
    assert old != new
    note = next((installed.directory / "state").glob("key-change-*.note")).read_text()
    assert note in said
    assert verified_by(note, [old.verifier_key])
    assert new.verifier_key.text() in note
    comment()
    run(installed, "set_up_ledger")
    keys = parse_verifier_keys((installed.directory / "state" / "vkeys.txt").read_text())
    assert [trusted_checkpoint(each.note, keys).size for each in LedgerCheckpoint.objects.all()] == [1, 2]
    with pytest.raises(NoteRefused, match="not in use for a tree of 2"):
        trusted_checkpoint(old.checkpoint(size=2, root=b"x" * 32), keys)


def test_a_running_sealer_goes_on_with_the_new_key(installed: SealedPortal):
    comment()
    run(installed, "set_up_ledger")
    with installed.as_sealer():
        sealer = Sealer(keys=open_key_ring(), memory=Memory(installed.directory / "state"), anchors=[])
        sealer.begin()
    run(installed, "rotate_ledger_key")
    new = read_signer(key_file(installed).read_text())
    comment()
    with installed.as_sealer():
        SealerLoop(sealer).work()
    assert trusted_checkpoint(LedgerCheckpoint.objects.last().note, [new.verifier_key])


def test_a_sealer_gets_its_memory_back_when_everything_agrees(installed: SealedPortal):
    comment()
    run(installed, "set_up_ledger")
    shutil.rmtree(installed.directory / "state")
    with pytest.raises(CommandError, match=r"memory .* is missing"):
        run(installed, "set_up_ledger")
    with installed.as_sealer():
        record_refusal_to_seal(SealRefused("memory_missing", "It is missing."))
    said = run(installed, "adopt_ledger_state", "--by", "Erin Kowalski", "--because", "The disk was replaced")
    assert "goes on from 1 events" in said
    refusal = SealerRefusal.objects.get()
    assert refusal.resolved_at
    assert (refusal.resolved_by_name, refusal.resolution) == ("Erin Kowalski", "The disk was replaced")
    comment()
    run(installed, "set_up_ledger")
    assert LedgerCheckpoint.objects.last().size == 2


def test_a_sealer_gets_no_memory_of_a_database_that_was_set_back(installed: SealedPortal):
    for _ in range(2):
        comment()
        run(installed, "set_up_ledger")
    shutil.rmtree(installed.directory / "state")
    installed.as_superuser(
        "DELETE FROM backups_anchorreceipt",
        "DELETE FROM backups_ledgercheckpoint WHERE size > 1",
        "DELETE FROM backups_ledgerleaf WHERE index >= 1",
    )
    with pytest.raises(CommandError, match=r"set back, or its end was cut off\. Nothing was changed"):
        run(installed, "adopt_ledger_state", "--by", "Erin", "--because", "x")
    assert not (installed.directory / "state" / "sealed.json").exists()


def test_without_a_key_or_with_that_of_another_log_nothing_starts(installed: SealedPortal, settings: Any):
    with pytest.raises(KeyUnusable, match="cannot be read"):
        open_key_ring()
    make_missing_key()
    settings.LEDGER_ORIGIN = "other.example/log"
    with pytest.raises(KeyUnusable, match=f"The key is of the log {ORIGIN}"):
        open_key_ring()
    settings.LEDGER_ORIGIN = ""
    with pytest.raises(KeyUnusable, match="LEDGER_ORIGIN is not set"):
        open_key_ring()


def test_a_heartbeat_is_written_when_it_is_time(portal: SealedPortal, settings: Any):
    assert record_heartbeat_event()
    assert not record_heartbeat_event()
    settings.LEDGER_BEAT_SECONDS = 0.001
    assert record_heartbeat_event()
    first, second = LedgerEvent.objects.order_by("recorded_at")
    assert second.members["data"]["since"] == first.members["rec"]
    settings.LEDGER_ORIGIN = ""
    assert not record_heartbeat_event()


def test_a_watcher_outside_learns_how_the_seal_does(portal: SealedPortal, settings: Any):
    watch_the_seal()
    assert not Heartbeat.objects.exists(), "no sealer, no sign of life"
    comment()
    portal.seal()
    watch_the_seal()
    assert Heartbeat.objects.get(control="ledger").went_well
    with portal.as_sealer():
        record_refusal_to_seal(SealRefused("set_back", "It was set back."))
    watch_the_seal()
    assert not Heartbeat.objects.get(control="ledger").went_well
    assert LedgerEvent.objects.filter(type="system.heartbeat").count() == 1
    assert LedgerEvent.objects.filter(type="ledger.refused").count() == 1


def test_it_says_loudly_what_is_missing(portal: SealedPortal, settings: Any):
    settings.SEAL_BEFORE_ACT = False
    assert [finding.partition(":")[0] for finding in seal_findings()] == [
        "SEAL_BEFORE_ACT is off",
        "No anchor is configured (LEDGER_ANCHOR_DIRS)",
    ]
    settings.LEDGER_ANCHOR_DIRS = ["/"]
    assert "this host's disk" in seal_findings()[1]
    settings.LEDGER_ORIGIN = ""
    assert "not sealed" in seal_findings()[0]


def test_no_secret_stands_in_the_database(installed: SealedPortal):
    comment()
    run(installed, "set_up_ledger")
    seed = key_file(installed).read_text().strip().rpartition("+")[2]
    with transaction.atomic():
        assert not LedgerCheckpoint.objects.filter(note__contains=seed).exists()
    assert seed not in (installed.directory / "state" / "sealed.json").read_text()
