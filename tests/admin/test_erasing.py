"""Erasing what somebody wrote: two people, on pages; the words are gone everywhere, and the record still verifies."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from backups.domain.export import ExportFormat
from backups.domain.people import SYSTEM, Role
from backups.models import FreeText, LedgerEvent, RestoreRequest, TextErasure
from backups.services.erasing import agree_to_erasure
from backups.services.export.keep import remove_due_files
from backups.services.restore.errors import Refused
from backups.services.sealing.bundle import export_bundle
from backups.services.sealing.verify import verify_database
from tests.admin.test_filing import NEW, typed
from tests.admin.test_pages_show import text_of
from tests.factories import branch as make_branch
from tests.factories import person
from tests.support.at_once import at_once
from tests.support.erasing import asked_erasure, erased
from tests.support.exports import exported, exports_in, file_of, verifier_says  # noqa: F401 - a fixture
from tests.support.scenes import Scenes
from tests.support.sealing import SealedPortal, comment, portal  # noqa: F401 - a fixture

WORDS = "Mrs Canary of room 12 lost her dosage"


def page_of(event: LedgerEvent) -> str:
    return reverse("admin:backups_ledgerevent_change", args=(event.pk,))


def ask_page(words: FreeText) -> str:
    return reverse("ops:erase-words", args=[words.pk])


def decision(erasure: TextErasure) -> str:
    return reverse("ops:erasure", args=[erasure.pk])


def rows_with(words: str) -> int:
    """In how many rows of any table of the database these words stand."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = " UNION ALL ".join(f'SELECT count(*) FROM "{name}" t WHERE t::text LIKE %s' for name in tables)  # noqa: S608
        cursor.execute(f"SELECT sum(count) FROM ({found}) every", [f"%{words}%"] * len(tables))  # noqa: S608
        return int(cursor.fetchone()[0])


# --- The whole way --------------------------------------------------------------------------------------------------


def test_two_people_erase_words_and_the_record_verifies_as_before(portal: SealedPortal, people, log_in, tmp_path: Path):  # noqa: F811
    scenes = Scenes(people)
    alice, bob, carol, dana = (log_in(getattr(people, name)) for name in ("alice", "bob", "carol", "dana"))
    alice.post(NEW, typed(make_branch(scenes.project), reason=WORDS))
    request = RestoreRequest.objects.get()
    alice.post(reverse("ops:edit", args=[request.pk]), typed(request.branch, reason=WORDS, ticket="INC-10"))
    drafted, edited = LedgerEvent.objects.get(type="request.drafted"), LedgerEvent.objects.get(type="request.edited")
    assert rows_with("Mrs Canary") == 2, "each event has its own words"

    assert "Erase these words" in bob.get(page_of(drafted)).content.decode()
    assert "Erase these words" not in dana.get(page_of(drafted)).content.decode()
    question = text_of(bob.get(ask_page(drafted.free_text)))
    assert "The same words stand with 1 other event about the same thing" in question
    assert "Files that were downloaded" in question
    assert "Mrs Canary" not in question
    assert bob.post(ask_page(drafted.free_text), {}).status_code == 422
    asked = bob.post(ask_page(drafted.free_text), {"reason": "patient_data"}, follow=True)
    assert "Nothing is erased until another manager" in text_of(asked)
    erasure = TextErasure.objects.get(words=drafted.pk)
    assert "waits for a second person" in text_of(dana.get(reverse("ops:erasures")))
    assert f"Erase words about {request.reference}" in text_of(carol.get("/")), "the start page says that it waits"
    assert "Erase words about" not in text_of(bob.get("/")), "not for who asked"
    assert "Mrs Canary" in text_of(carol.get(decision(erasure))), "who decides sees what it is about"

    done = carol.post(decision(erasure), {"answer": "erase"}, follow=True)
    assert "Erased, in 2 events. The record verifies as before." in text_of(done)
    assert rows_with("Mrs Canary") == 0
    assert "(erased)" in text_of(alice.get(reverse("ops:request", args=[request.pk])))
    assert "Erased on" in text_of(dana.get(page_of(edited)))
    case_file = text_of(dana.get(reverse("ops:audit-case-restore", args=[request.pk])))
    assert "erased on" in case_file
    assert "Canary" not in case_file

    events = LedgerEvent.objects.filter(type="text.erased").order_by("recorded_at")
    assert {event.members["data"]["erased_event"] for event in events} == {str(drafted.pk), str(edited.pk)}
    first = events.get(target_id=str(drafted.pk))
    assert first.members["reason"] == {"code": "patient_data"}
    assert first.members["data"]["text_commitment"] == drafted.text_commitment
    assert first.members["data"]["voters"] == [people.bob.actor.ref, people.carol.actor.ref]
    assert first.world == "real"

    portal.seal()
    report = verify_database(keys=[portal.signer.verifier_key], anchor_directories=[tmp_path / "anchors"], actor=SYSTEM)
    assert report.lines()[0].startswith("VERIFIED")
    assert "The words of 2 events were erased, as events of the log say." in report.lines()
    portal.seal()
    bundle, keys = tmp_path / "ledger.zip", tmp_path / "vkeys.txt"
    keys.write_text(portal.signer.verifier_key.text() + "\n")
    export_bundle(bundle, actor=SYSTEM)
    status, said = verifier_says(bundle, keys, tmp_path / "anchors")
    assert status == 0, said
    assert "Erased, as events of this log say: the words of 2 events" in said
    with zipfile.ZipFile(bundle) as archive:
        assert all(b"Mrs Canary" not in archive.read(name) for name in archive.namelist())

    silent = comment("Which table was it?")
    portal.as_superuser(
        ("UPDATE backups_freetext SET text = '', salt = '', erased_at = now() WHERE event_id = %s", silent.pk)
    )
    found = verify_database(keys=[portal.signer.verifier_key], anchor_directories=[], actor=SYSTEM).lines()
    assert any("were erased, and no event says so" in line for line in found)


def test_a_file_with_the_words_is_not_handed_out_any_more(portal: SealedPortal, people, log_in, exports_in):  # noqa: F811
    words = Scenes(people).pending().reason
    portal.seal()
    bundle, table = exported(people, ExportFormat.LOG), exported(people, ExportFormat.CSV)
    erased(words, people)
    dana = log_in(people.dana)
    refused = dana.get(reverse("ops:audit-export-file", args=[bundle.pk]), follow=True)
    assert "were erased since it was made" in text_of(refused)
    kept = dana.get(reverse("ops:audit-export-file", args=[table.pk]))
    assert b"".join(kept.streaming_content).startswith(b"place,"), "a file without words"
    kept.close()
    assert (remove_due_files(), remove_due_files()) == (1, 0)
    assert (file_of(bundle).exists(), file_of(table).exists()) == (False, True)


# --- Attacks --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_one_person_erases_nothing_alone(people, log_in, scenes):
    words = scenes.pending().reason
    bob = log_in(people.bob)
    bob.post(ask_page(words), {"reason": "secret"})
    erasure = TextErasure.objects.get()
    for answer, sentence in (("erase", "another person must agree"), ("refuse", "take it back instead"),
                             ("", "Choose what to do")):  # fmt: skip
        assert sentence in text_of(bob.post(decision(erasure), {"answer": answer}, follow=True))
    for name, sentence in (("erin", "Only a manager agrees"), ("dana", "Only a manager agrees")):
        told = log_in(getattr(people, name)).post(decision(erasure), {"answer": "erase"}, follow=True)
        assert sentence in text_of(told)
    assert log_in(people.alice).post(decision(erasure), {"answer": "erase"}).status_code == 403
    assert log_in(people.dana).post(ask_page(words), {"reason": "secret"}).status_code == 403
    assert "asked for already" in text_of(bob.post(ask_page(words), {"reason": "secret"}, follow=True))
    with pytest.raises(IntegrityError, match="erasure_two_people"), transaction.atomic():
        TextErasure.objects.update(agreed_by=people.bob.user, agreed_by_name="bob", agreed_at=erasure.asked_at)
    with pytest.raises(IntegrityError, match="asked for first"), transaction.atomic():
        TextErasure.objects.create(words=scenes.pending().reason, reason="secret", asked_by=people.bob.user,
                                   asked_by_name="bob", asked_at=erasure.asked_at, agreed_by=people.carol.user,
                                   agreed_by_name="carol", agreed_at=erasure.asked_at)  # fmt: skip
    words.refresh_from_db()
    assert words.text
    assert LedgerEvent.objects.filter(type="text.erased").count() == 0
    assert LedgerEvent.objects.filter(type="access.refused", target_kind="event").count() == 5

    told = bob.post(decision(erasure), {"answer": "withdraw"}, follow=True)
    assert "Taken back. The words stay." in text_of(told)
    assert "decided already" in text_of(log_in(people.carol).post(decision(erasure), {"answer": "erase"}, follow=True))


@pytest.mark.django_db
def test_who_wrote_the_words_does_not_agree_to_erase_them(people, log_in, scenes):
    words = scenes.rejected().votes.get().reason
    erasure = asked_erasure(words, people.erin)
    told = log_in(people.bob).post(decision(erasure), {"answer": "erase"}, follow=True)
    assert "You wrote these words yourself" in text_of(told)
    with pytest.raises(IntegrityError, match="what he wrote himself"), transaction.atomic():
        TextErasure.objects.update(agreed_by=people.bob.user, agreed_by_name="bob", agreed_at=erasure.asked_at)
    told = log_in(people.bob).post(decision(erasure), {"answer": "refuse"}, follow=True)
    assert "Refused. The words stay." in text_of(told)
    assert asked_erasure(words, people.erin).pk != erasure.pk, "it may be asked anew"


@pytest.mark.django_db
def test_a_legal_hold_keeps_everything(people, log_in, scenes, settings):
    words, other = scenes.pending().reason, scenes.pending().reason
    erasure = asked_erasure(words, people.erin)
    settings.LEGAL_HOLD = "Doe v. CareCircle"
    carol = log_in(people.carol)
    sentence = "A legal hold is in force (Doe v. CareCircle), so nothing may be erased. Nothing was changed."
    assert sentence in text_of(carol.get(decision(erasure)))
    assert sentence in text_of(carol.post(decision(erasure), {"answer": "erase"}, follow=True))
    assert sentence in text_of(carol.post(ask_page(other), {"reason": "ordered"}, follow=True))
    words.refresh_from_db()
    assert words.text
    assert LedgerEvent.objects.filter(type="access.refused", members__data__refused="legal_hold").count() == 2


@pytest.mark.django_db
def test_the_same_sentence_about_something_else_stays(people, scenes):
    first, second = scenes.pending().reason, scenes.pending().reason
    assert first.text == second.text
    erased(first, people)
    second.refresh_from_db()
    assert (first.text, bool(second.text)) == ("", True)


def test_two_who_agree_at_once_erase_once(own_database, people):
    words = Scenes(people).pending().reason
    erasure, frank = asked_erasure(words, people.erin), person("frank", Role.MANAGER)
    raised = at_once(*[lambda who=who: agree_to_erasure(actor=who.actor, erasure_id=erasure.pk)
                       for who in (people.carol, frank)])  # fmt: skip
    assert [type(each) for each in raised if each] == [Refused]
    assert LedgerEvent.objects.filter(type="text.erased").count() == 1
