"""The whole log verified on demand: asked for with a button, done by the worker, told on a page and on record."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from backups.domain.ledger_verification import Verdict, VerificationState
from backups.ledger.verifier.log import VERIFIED, Report
from backups.models import LedgerCheckpoint, LedgerEvent, LedgerVerification
from backups.selectors.clock import database_now
from backups.services import ledger_verification
from backups.services.ledger_verification import ask_for_verification, verify_when_asked
from backups.services.sealing import verify
from tests.factories import People
from tests.support.sealing import SealedPortal, comment, portal

__all__ = ["portal"]


@pytest.fixture
def sealed(portal: SealedPortal, people: People, settings) -> SealedPortal:
    people.all()
    comment("Which table was it?")
    settings.LEDGER_ANCHOR_DIRS = [str(portal.anchor.path)]
    portal.seal()
    return portal


@pytest.fixture
def dana(people: People) -> Client:
    client = Client()
    client.force_login(people.dana.user)
    return client


def asked_and_done(client: Client) -> tuple[LedgerVerification, str]:
    where = client.post("/audit/verifications/")["Location"]
    assert verify_when_asked() == 1
    return LedgerVerification.objects.latest("pk"), client.get(where).content.decode()


def test_dana_verifies_the_log_and_sees_what_was_looked_at(sealed: SealedPortal, dana: Client, people: People):
    where = dana.post("/audit/verifications/")["Location"]
    waiting = dana.get(where).content.decode()
    assert "Waiting for the worker" in waiting
    assert "data-live=" in waiting
    again = dana.post("/audit/verifications/", follow=True)
    assert "V-0001, asked for by dana, is not finished" in again.content.decode()
    assert LedgerVerification.objects.count() == 1

    assert verify_when_asked() == 1
    assert verify_when_asked() == 0
    newest = LedgerCheckpoint.objects.order_by("-size").first()
    shown = dana.get(where).content.decode()
    for part in ("Every sealed record is as it was signed.", bytes(newest.root).hex(), ": 1 checkpoint",
                 sealed.signer.verifier_key.text()):  # fmt: skip
        assert part in shown, part
    told = LedgerEvent.objects.get(type="ledger.verified")
    assert (told.target_id, told.outcome, told.actor_kind) == ("V-0001", "success", "system")
    assert told.members["data"] == {"sealed_size": newest.size, "events": newest.size, "findings_count": 0}
    assert f"/backups/ledgerevent/{told.pk}/" in shown
    assert "every sealed record was as it was signed" in dana.get("/audit/").content.decode()


def test_what_was_altered_is_said_and_what_cannot_be_told_too(sealed: SealedPortal, dana: Client, settings):
    settings.LEDGER_VKEYS_FILE = "/nowhere/keys.txt"
    unclear, shown = asked_and_done(dana)
    assert unclear.verdict == Verdict.UNCLEAR
    assert "It cannot tell" in shown
    assert "The public keys cannot be read" in shown
    settings.LEDGER_VKEYS_FILE = ""
    event = LedgerEvent.objects.filter(type="request.commented").first()
    sealed.as_superuser(
        ("UPDATE backups_ledgerevent SET body = replace(body, 'R-0007', 'R-0008') WHERE id = %s", event.pk)
    )
    altered, shown = asked_and_done(dana)
    assert altered.verdict == Verdict.ALTERED
    assert "The record is not the one that was signed." in shown
    assert "is not what the sealer once hashed" in shown
    assert "NOT intact" in dana.get("/audit/").content.decode()


def test_what_is_sealed_while_it_reads_is_no_finding(sealed: SealedPortal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verify, "_PIECE", 1)
    pieces: list[int] = []

    def meanwhile(count: int) -> None:
        pieces.append(count)
        comment()
        sealed.seal()

    report = verify.check_database(
        keys=verify.configured_keys(), anchor_directories=[sealed.anchor.path], looked_at=meanwhile
    )
    assert report.status == VERIFIED, report.lines()
    assert len(pieces) == report.sealed < LedgerCheckpoint.objects.order_by("-size").first().size


def test_a_worker_that_dies_is_followed_and_the_third_death_is_the_last(sealed: SealedPortal, people: People):
    asked = ask_for_verification(actor=people.dana.actor)
    held: list[LedgerVerification | None] = []
    for attempts in (1, 2, 3):
        held.append(ledger_verification._claim())
        assert held[-1] is not None
        assert held[-1].attempts == attempts
        assert ledger_verification._claim() is None, "somebody still holds the lease"
        long_ago = database_now() - dt.timedelta(seconds=1)
        LedgerVerification.objects.filter(pk=asked.pk).update(lease_until=long_ago)
    assert verify_when_asked() == 0
    asked.refresh_from_db()
    assert asked.state == VerificationState.FAILED
    assert "The worker died 3 times" in asked.problem
    assert LedgerEvent.objects.filter(type="ledger.verification_failed", target_id=str(asked)).count() == 1
    assert ledger_verification._finish(held[0] or asked, Report()) == 0, "who was replaced changes nothing"
    fields = {"person": people.dana.user, "person_name": "dana", "asked_at": database_now()}
    LedgerVerification.objects.create(**fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerVerification.objects.create(**fields)
