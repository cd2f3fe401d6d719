"""RFC 3161: a time stamp over the checkpoint's exact bytes, or a sentence and no receipt. Over a socket."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from backups.domain.people import SYSTEM
from backups.ledger.verifier.command import main
from backups.ledger.verifier.log import ALTERED, CANNOT_TELL, VERIFIED
from backups.models import AnchorReceipt, LedgerCheckpoint
from backups.selectors.clock import database_now
from backups.services.sealing.anchors import Anchor
from backups.services.sealing.bundle import export_bundle
from backups.services.sealing.configured import configured_anchors
from backups.services.sealing.errors import AnchorFailed
from backups.services.sealing.loop import SealerLoop, have_it_kept
from backups.services.sealing.timestamp import configured_roots, time_in_token
from tests.services.notification import receivers
from tests.services.notification.receivers import Receiver, answer
from tests.support.authority import OPENSSL, Authority, new_authority, serving
from tests.support.exports import altered
from tests.support.sealing import SealedPortal, comment


@pytest.fixture
def authority(portal: SealedPortal, tmp_path: Path, settings: Any) -> Authority:
    made = new_authority(tmp_path / "tsa")
    settings.LEDGER_TSA_ROOTS = str(made.roots)
    settings.LEDGER_ANCHOR_DIRS = [str(portal.anchor.path)]
    settings.LEDGER_ANCHOR_CALL_SECONDS = 0.5
    return made


def time_stamps(settings: Any, authority: Authority) -> Anchor:
    settings.LEDGER_TSA_URL = authority.url
    return configured_anchors()[-1]


def hand_over(portal: SealedPortal, anchor: Anchor, *, waiting: bool = False) -> str:
    with portal.as_sealer():
        return have_it_kept(anchor, waiting=waiting)


def test_a_time_stamp_is_checked_kept_whole_and_verified_by_openssl(
    portal: SealedPortal, authority: Authority, settings: Any
):
    comment()
    portal.seal()
    with serving(authority) as receiver:
        anchor = time_stamps(settings, authority)
        assert hand_over(portal, anchor) == ""
    assert receiver.posts[0].headers["content-type"] == "application/timestamp-query"
    receipt = AnchorReceipt.objects.get(anchor=anchor.name)
    assert (receipt.anchor, receipt.gates) == ("rfc3161:127.0.0.1", False)
    note = LedgerCheckpoint.objects.get().note
    moment = time_in_token(bytes(receipt.evidence), note, configured_roots())
    assert abs(moment - database_now()) < dt.timedelta(minutes=1)
    [beside] = portal.anchor.path.rglob("*.tsr")
    assert beside.read_bytes() == bytes(receipt.evidence)
    assert beside.with_suffix("").read_text() == note
    command: list[Any] = ["ts", "-verify", "-data", beside.with_suffix(""), "-in", beside, "-CAfile", authority.roots]
    checked = subprocess.run([OPENSSL or "openssl", *command], capture_output=True, text=True, check=False)
    assert (checked.returncode, "Verification: OK" in checked.stdout) == (0, True)


def test_it_is_asked_once_an_hour_or_at_once_when_an_act_waits_for_it(
    portal: SealedPortal, authority: Authority, settings: Any
):
    with serving(authority) as receiver:
        anchor = time_stamps(settings, authority)
        for _ in range(3):
            comment()
            portal.seal()
            assert hand_over(portal, anchor, waiting=True) == ""
        assert len(receiver.posts) == 1
        settings.LEDGER_TSA_GATES = True
        hand_over(portal, configured_anchors()[-1], waiting=True)
        assert len(receiver.posts) == 2
    assert AnchorReceipt.objects.filter(anchor=anchor.name, gates=True).count() == 1


def with_another_nonce(authority: Authority) -> Callable[[Any, Receiver], None]:
    return answer(200, authority.over(LedgerCheckpoint.objects.get().note.encode()))


def over_other_bytes(authority: Authority) -> Callable[[Any, Receiver], None]:
    return answer(200, authority.over(b"another log"))


FAULTS: dict[str, tuple[Callable[[Authority], Any], str]] = {
    "nonce": (with_another_nonce, "Nonce mismatch"),
    "imprint": (over_other_bytes, "no time stamp of this checkpoint"),
    "500": (lambda _: answer(500), "answered 500"),
    "time-out": (lambda _: receivers.hang, "no whole answer within 0.5 s"),
    "garbage": (lambda _: answer(200, b"<html>log in</html>"), "no time stamp of this checkpoint"),
    "empty": (lambda _: answer(200, b""), "no time stamp of this checkpoint"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_time_stamp_of_this_checkpoint_leaves_no_receipt(
    portal: SealedPortal, authority: Authority, settings: Any, fault: str
):
    comment()
    portal.seal()
    misbehave, said = FAULTS[fault]
    with serving(authority, misbehave(authority)):
        anchor = time_stamps(settings, authority)
        assert said in hand_over(portal, anchor)
    assert not AnchorReceipt.objects.filter(anchor=anchor.name).exists()
    assert not list(portal.anchor.path.rglob("*.tsr"))


@pytest.mark.parametrize("days", [(-20, -10), (10, 20)])
def test_an_authority_out_of_its_time_is_refused(portal: SealedPortal, tmp_path: Path, settings: Any, days: Any):
    comment()
    portal.seal()
    note = LedgerCheckpoint.objects.get().note
    made = new_authority(tmp_path / "old", days=days)
    settings.LEDGER_TSA_ROOTS = str(made.roots)
    with pytest.raises(AnchorFailed, match="no time stamp of this checkpoint"):
        time_in_token(made.over(note.encode()), note, configured_roots())


def test_an_unknown_authority_is_refused(portal: SealedPortal, authority: Authority, tmp_path: Path, settings: Any):
    comment()
    portal.seal()
    with serving(new_authority(tmp_path / "other")) as receiver:
        settings.LEDGER_TSA_URL = receiver.address
        assert "no time stamp of this checkpoint" in hand_over(portal, configured_anchors()[-1])
    settings.LEDGER_TSA_ROOTS = str(tmp_path / "nowhere.pem")
    assert "No time stamp was asked for" in hand_over(portal, configured_anchors()[-1])


def test_an_authority_that_is_away_has_a_rest_and_holds_nothing_up(
    portal: SealedPortal, authority: Authority, settings: Any
):
    comment()
    with serving(authority, answer(500)) as receiver:
        settings.LEDGER_TSA_URL = receiver.address
        with portal.as_sealer():
            one = portal.sealer()
            one.anchors = configured_anchors()
            one.begin()
            loop = SealerLoop(one)
            for _ in range(3):
                loop._urgent = True
                loop.work()
        assert len(receiver.posts) == 1
    assert AnchorReceipt.objects.get().gates


# --- Looked at again -------------------------------------------------------------------------------------------


@pytest.fixture
def stamped(portal: SealedPortal, authority: Authority, settings: Any) -> Authority:
    """Two checkpoints with a time stamp each."""
    with serving(authority):
        settings.LEDGER_TSA_SECONDS = 0.001
        anchor = time_stamps(settings, authority)
        for _ in range(2):
            comment()
            portal.seal()
            assert hand_over(portal, anchor) == ""
    assert AnchorReceipt.objects.filter(anchor=anchor.name).count() == 2
    (portal.directory / "keys.txt").write_text(portal.signer.verifier_key.text())
    return authority


def verify_ledger(portal: SealedPortal, *options: object) -> tuple[int, str]:
    out, words = io.StringIO(), [str(each) for each in options]
    keys = str(portal.directory / "keys.txt")
    with pytest.raises(SystemExit) as ended:
        call_command("verify_ledger", "--vkeys", keys, *words, stdout=out)
    return int(str(ended.value.code)), out.getvalue()


def bundle(portal: SealedPortal, name: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    export_bundle(portal.directory / name, actor=SYSTEM)
    kept = str(portal.anchor.path)
    keys = str(portal.directory / "keys.txt")
    status = main([str(portal.directory / name), "--vkeys", keys, "--anchors", kept])
    return status, capsys.readouterr().out


def test_time_stamps_are_looked_at_again_and_lie_in_the_bundle(
    portal: SealedPortal, stamped: Authority, capsys: pytest.CaptureFixture[str]
):
    status, said = verify_ledger(portal)
    assert (status, "Time stamps: 2 hold, the first of 20" in said) == (VERIFIED, True)
    status, said = bundle(portal, "b.zip", capsys)
    assert (status, "2 time stamps of authorities were not checked" in said) == (VERIFIED, True)
    unpacked = portal.directory / "unpacked"
    with zipfile.ZipFile(portal.directory / "b.zip") as archive:
        archive.extractall(unpacked)
    command = next(line for line in (unpacked / "README.txt").read_text().splitlines() if "ts -verify" in line)
    for tokens in sorted(unpacked.glob("anchors/timestamps/*.tsr")):
        words = command.replace("NAME", str(tokens.with_suffix("").with_suffix(""))).split()
        words = [OPENSSL or "openssl", *words[1:-1], str(stamped.roots)]
        checked = subprocess.run(words, capture_output=True, text=True, check=False)
        assert "Verification: OK" in checked.stdout, checked.stderr
    assert len(list(unpacked.glob("anchors/timestamps/*"))) == 4


PUT_TOKEN = "UPDATE backups_anchorreceipt SET evidence = %s WHERE checkpoint_id = %s AND evidence <> ''"
PUT_TIME = "UPDATE backups_anchorreceipt SET reference = %s WHERE checkpoint_id = %s AND evidence <> ''"


def test_a_time_stamp_of_another_checkpoint_is_told(
    portal: SealedPortal, stamped: Authority, capsys: pytest.CaptureFixture[str]
):
    newest = AnchorReceipt.objects.exclude(evidence=b"").latest("checkpoint_id")
    portal.as_superuser((PUT_TOKEN, bytes(newest.evidence), 1), (PUT_TIME, newest.reference, 1))
    status, said = verify_ledger(portal)
    assert (status, "The time stamp of the checkpoint of 1 events" in said) == (ALTERED, True)
    assert "Time stamps: 1 hold" in said
    status, said = bundle(portal, "b.zip", capsys)
    assert (status, "000000000001-127.0.0.1.checkpoint.tsr is not of its checkpoint" in said) == (ALTERED, True)


def test_an_altered_time_stamp_is_told(portal: SealedPortal, stamped: Authority):
    token = bytearray(AnchorReceipt.objects.exclude(evidence=b"").get(checkpoint_id=1).evidence)
    token[-3] ^= 1  # in the signature, which ends the answer
    portal.as_superuser((PUT_TOKEN, bytes(token), 1))
    assert verify_ledger(portal)[0] == ALTERED
    portal.as_superuser((PUT_TOKEN, b"gone", 1))
    status, said = verify_ledger(portal)
    assert (status, "does not hold" in said) == (ALTERED, True)


def test_a_time_stamp_that_its_row_dates_back_is_told(portal: SealedPortal, stamped: Authority):
    portal.as_superuser((PUT_TIME, "2020-01-01T00:00:00Z", 2))
    status, said = verify_ledger(portal)
    assert (status, "and its row says 2020-01-01T00:00:00Z" in said) == (ALTERED, True)


def test_without_the_authoritys_certificate_nothing_is_claimed(
    portal: SealedPortal, stamped: Authority, tmp_path: Path, settings: Any
):
    other = new_authority(tmp_path / "other")
    status, said = verify_ledger(portal, "--tsa-roots", other.roots)
    assert (status, "leads to none of the certificates" in said) == (CANNOT_TELL, True)
    assert verify_ledger(portal, "--tsa-roots", tmp_path / "nowhere.pem")[0] == CANNOT_TELL
    settings.LEDGER_TSA_ROOTS = ""
    status, said = verify_ledger(portal)
    assert (status, "Time stamps: 2 were not checked" in said) == (VERIFIED, True)


def test_a_bundle_with_a_time_stamp_of_something_else_is_told(
    portal: SealedPortal, stamped: Authority, capsys: pytest.CaptureFixture[str]
):
    bundle(portal, "b.zip", capsys)
    name = "anchors/timestamps/000000000001-127.0.0.1.checkpoint"
    other = portal.signer.checkpoint(size=1, root=b"x" * 32).encode()
    changed = altered(portal.directory / "b.zip", name, LedgerCheckpoint.objects.get(size=1).note.encode(), other)
    assert main([str(changed), "--vkeys", str(portal.directory / "keys.txt")]) == ALTERED
    assert "is none of this bundle" in capsys.readouterr().out
