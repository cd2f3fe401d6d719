"""The daily digest: one mail and one Slack message a day, and the verifier takes what arrived as an anchor."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from backups.domain.anchor import Daily
from backups.domain.monitor import FindingCode
from backups.domain.people import SYSTEM
from backups.ledger.signer import fingerprint, new_signer
from backups.ledger.verifier.command import main
from backups.ledger.verifier.log import ALTERED, VERIFIED
from backups.models import AnchorReceipt, LedgerCheckpoint, SealerHeartbeat
from backups.selectors.clock import database_now
from backups.services.monitor.controls.ledger import sealed
from backups.services.sealing import loop
from backups.services.sealing.anchors import Anchor
from backups.services.sealing.bundle import export_bundle
from backups.services.sealing.configured import configured_anchors
from backups.services.sealing.digest import MailDigest
from backups.services.sealing.loop import SealerLoop, have_it_kept
from tests.factories import People
from tests.services.notification.receivers import Receiver, http_receiver, refuse_recipient, smtp_receiver, take_mail
from tests.support.sealing import SealedPortal, comment

CUSTODIAN = "custodian@example.org"
UTC = dt.UTC


@pytest.fixture
def receiver(portal: SealedPortal, settings: Any) -> Iterator[Receiver]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.LEDGER_DIGEST_MAIL = [CUSTODIAN]
    settings.LEDGER_DIGEST_AT = dt.time(0, 0)
    with smtp_receiver() as started:
        settings.EMAIL_PORT = started.port
        yield started


def digest() -> Anchor:
    return next(anchor for anchor in configured_anchors() if anchor.name.startswith("mail:"))


def hand_over(portal: SealedPortal, anchor: Anchor) -> str:
    with portal.as_sealer():
        return have_it_kept(anchor, waiting=False)


def sealed_once(portal: SealedPortal) -> None:
    comment()
    portal.seal()


def verdict(portal: SealedPortal, bundle: str, *kept: Path) -> int:
    export_bundle(portal.directory / bundle, actor=SYSTEM)
    keys = portal.directory / "my-keys.txt"
    keys.write_text(portal.signer.verifier_key.text())
    anchors = [word for path in kept for word in ("--anchors", str(path))]
    return main([str(portal.directory / bundle), "--vkeys", str(keys), *anchors])


def test_what_arrived_by_mail_and_in_slack_is_an_anchor(
    portal: SealedPortal, receiver: Receiver, settings: Any, capsys: pytest.CaptureFixture[str]
):
    comment()
    sealed_once(portal)
    with http_receiver() as slack:
        settings.SLACK_WEBHOOK_URL, settings.LEDGER_DIGEST_SLACK = slack.address, "#audit"
        assert [hand_over(portal, anchor) for anchor in configured_anchors()] == ["", ""]
    note = LedgerCheckpoint.objects.last().note
    receipts = AnchorReceipt.objects.filter(day__isnull=False)
    assert {(row.anchor, row.gates) for row in receipts} == {(f"mail:{CUSTODIAN}", False), ("slack:#audit", False)}
    mail = receiver.mails[0].encode()
    shown = email.message_from_bytes(mail, policy=email.policy.default)
    text = shown.get_content().replace("\r\n", "\n")
    assert note in text
    assert fingerprint(portal.signer.verifier_key) in text
    assert portal.signer.reveal() not in text
    reencoded = email.message_from_bytes(mail, policy=email.policy.default)
    reencoded.set_content(text, cte="base64")  # as a relay does that takes no other bytes than ASCII
    kept = {
        "as it came.eml": mail,
        "as a relay sent it.eml": bytes(reencoded),
        "slack.json": slack.posts[0].body,
        "copied from slack.txt": json.loads(slack.posts[0].body)["text"].encode(),
    }
    for name, data in kept.items():
        (portal.directory / name).write_bytes(data)
        assert verdict(portal, f"{name}.zip", portal.directory / name) == VERIFIED
        assert "2 under an anchor" in capsys.readouterr().out
    portal.as_superuser(
        "DELETE FROM backups_anchorreceipt",
        "DELETE FROM backups_ledgercheckpoint",
        "DELETE FROM backups_ledgerleaf WHERE index > 0",
        "DELETE FROM backups_ledgerevent WHERE type = 'request.commented' AND id NOT IN "
        "(SELECT event_id FROM backups_ledgerleaf)",
    )
    small = portal.signer.checkpoint(size=1, root=bytes(first_leaf()))
    portal.as_superuser(
        ("INSERT INTO backups_ledgercheckpoint (size, root, note) VALUES (1, %s, %s)", bytes(first_leaf()), small)
    )
    assert verdict(portal, "without.zip") == VERIFIED, "with a stolen key the rest looks whole"
    assert verdict(portal, "with.zip", *(portal.directory / name for name in kept)) == ALTERED
    assert "at least 1 events were cut off the end" in capsys.readouterr().out


def first_leaf() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT hash FROM backups_ledgerleaf WHERE index = 0")
        return cursor.fetchone()[0]


def test_two_sealers_send_one_mail_a_day(portal: SealedPortal, receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    def slowly(handler: Any, on: Receiver) -> None:
        on.over.wait(0.3)
        take_mail(handler, on)

    receiver.act = slowly
    sealed_once(portal)
    both, said = threading.Barrier(2), list[str]()

    def one_sealer() -> None:
        both.wait()
        said.append(have_it_kept(digest()))
        connection.close()

    with portal.as_sealer():
        threads = [threading.Thread(target=one_sealer) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert said == ["", ""]
    sealed_once(portal)
    hand_over(portal, digest())
    assert len(receiver.mails) == 1
    monkeypatch.setattr(loop, "database_now", lambda: database_now() + dt.timedelta(days=1))
    hand_over(portal, digest())
    hand_over(portal, digest())
    assert len(receiver.mails) == 2
    assert len({message_id(mail) for mail in receiver.mails}) == 2
    sealed_once(portal)
    again = AnchorReceipt.objects.filter(anchor=digest().name).earliest("pk")
    with (
        portal.as_sealer(),
        pytest.raises(IntegrityError, match="anchor_takes_one_a_day"),
        transaction.atomic(),
    ):
        AnchorReceipt.objects.create(checkpoint_id=3, anchor=digest().name, gates=False, day=again.day)


def message_id(mail: str) -> str:
    return str(email.message_from_string(mail)["Message-ID"])


def test_after_a_death_before_the_receipt_it_comes_again_under_the_same_id(
    portal: SealedPortal, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    class Died(Exception):
        pass

    def die(place: str) -> None:
        raise Died(place)

    sealed_once(portal)
    with monkeypatch.context() as patched:
        patched.setattr(loop, "crash_point", die)
        with pytest.raises(Died, match="seal_before_receipt"):
            hand_over(portal, digest())
    assert not AnchorReceipt.objects.filter(day__isnull=False).exists()
    assert hand_over(portal, digest()) == ""
    assert len(receiver.mails) == 2
    assert len({message_id(mail) for mail in receiver.mails}) == 1


def test_a_mail_that_fails_is_shown_tried_again_after_a_rest_and_overdue_on_the_next_day(
    portal: SealedPortal, receiver: Receiver, settings: Any
):
    receiver.act = refuse_recipient
    comment()
    with portal.as_sealer():
        one = portal.sealer()
        one.anchors = configured_anchors()
        one.begin()
        running = SealerLoop(one)
        for _ in range(3):
            running._urgent = True
            running.work()
        assert len(running._again_at) == 1
        assert "refused the recipient" in SealerHeartbeat.objects.get().problem
        assert not AnchorReceipt.objects.exists()
        [late] = [
            found for found in sealed(database_now() + dt.timedelta(hours=27)) if found.subject.startswith("anchor m")
        ]
        assert (late.code, late.subject) == (FindingCode.ANCHOR_OVERDUE, f"anchor mail:{CUSTODIAN}")
        receiver.act = take_mail
        running._again_at.clear()
        running._urgent = True
        running._beat_due = 0
        running.work()
    assert len(receiver.mails) == 1
    assert SealerHeartbeat.objects.get().problem == ""


def test_nothing_is_called_sent_that_no_server_took(portal: SealedPortal, receiver: Receiver, settings: Any):
    sealed_once(portal)
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert "no mail server is set up" in hand_over(portal, digest())
    settings.SLACK_WEBHOOK_URL, settings.LEDGER_DIGEST_SLACK = "", "#audit"
    assert "Slack channel #audit was not sent" in hand_over(portal, configured_anchors()[-1])
    assert not AnchorReceipt.objects.filter(day__isnull=False).exists()


def test_a_checkpoint_of_another_key_is_sent_to_nobody(portal: SealedPortal, receiver: Receiver):
    sealed_once(portal)
    other = new_signer(portal.signer.name).checkpoint(size=1, root=b"x" * 32)
    portal.as_superuser(("UPDATE backups_ledgercheckpoint SET note = %s, root = %s", other, b"x" * 32))
    assert "No digest was sent" in hand_over(portal, digest())
    assert receiver.mails == []


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_day_begins_at_its_time_and_after_down_time_only_the_newest_is_made_up_for():
    daily = Daily(dt.time(6, 0))

    def due(last: str, now: str) -> bool:
        return daily.is_due(last=at(last), now=at(now), waiting=True)

    assert daily.is_due(last=None, now=at("2026-11-26 03:00"), waiting=False)
    assert not due("2026-11-25 06:00", "2026-11-26 05:59")
    assert due("2026-11-25 06:00", "2026-11-26 06:00")
    assert due("2026-11-20 06:00", "2026-11-26 03:00")
    assert not due("2026-11-26 03:00", "2026-11-26 05:59")
    assert not daily.is_late(since=at("2026-11-25 07:00"), now=at("2026-11-26 07:59"))
    assert daily.is_late(since=at("2026-11-25 07:00"), now=at("2026-11-26 08:00"))
    assert MailDigest(CUSTODIAN).rhythm.at_once is False


def test_auditors_see_each_copy_by_its_own_rhythm(
    portal: SealedPortal, receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    settings.LEDGER_ANCHOR_DIRS = [str(portal.anchor.path)]
    sealed_once(portal)
    dana = Client()
    dana.force_login(People().dana.user)

    def shown() -> str:
        return " ".join(re.sub(r"<[^>]+>", " ", dana.get("/audit/").content.decode()).split())

    assert "Outside copies 1 of 2 are up to date" in shown()
    assert f"mail:{CUSTODIAN} : has taken nothing yet" in shown().replace(f"{CUSTODIAN}:", f"{CUSTODIAN} :")
    hand_over(portal, digest())
    sealed_once(portal)
    assert "Outside copies 2 of 2 are up to date" in shown(), "the mail is of an earlier seal, and in its time"
    monkeypatch.setattr("backups.admin.audit.start.database_now", lambda: database_now() + dt.timedelta(hours=27))
    assert "Outside copies 1 of 2 are up to date" in shown()
    assert re.search(r"mail:custodian@example\.org: \d+ records, [^;]{1,40}; late", shown()), shown()
